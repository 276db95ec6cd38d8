package picture

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"strings"
	"testing"

	"gatecast/controller/fleet"
)

// photo is a JPEG, red on the left and blue on the right, with an EXIF part
// that names a place.
func photo(t testing.TB, w, h int, orientation uint16) []byte {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			c := color.RGBA{0xff, 0, 0, 0xff}
			if x >= w/2 {
				c = color.RGBA{0, 0, 0xff, 0xff}
			}
			img.SetRGBA(x, y, c)
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, nil); err != nil {
		t.Fatal(err)
	}
	exif := []byte("Exif\x00\x00II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00SECRETPLACE")
	binary.LittleEndian.PutUint16(exif[6+8+2+8:], orientation)
	head := binary.BigEndian.AppendUint16([]byte{0xff, 0xd8, 0xff, 0xe1}, uint16(len(exif)+2))
	return append(append(head, exif...), b.Bytes()[2:]...)
}

func TestCleanKeepsOnlyWhatIsSeen(t *testing.T) {
	in := photo(t, 60, 40, 1)
	if !bytes.Contains(in, []byte("SECRETPLACE")) {
		t.Fatal("the photo tells no place")
	}
	out, err := Clean(bytes.NewReader(in))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(out, []byte("SECRETPLACE")) || bytes.Contains(out, []byte("Exif")) {
		t.Error("what is kept still tells the place")
	}
}

func TestCleanTurnsAndShrinks(t *testing.T) {
	tests := []struct {
		name        string
		in          []byte
		w, h        int
		redX, redY  int
		blueX, blue int
	}{
		{"as_it_is", photo(t, 60, 40, 1), 60, 40, 5, 20, 55, 20},
		{"upside_down", photo(t, 60, 40, 3), 60, 40, 55, 20, 5, 20},
		{"held_right", photo(t, 60, 40, 6), 40, 60, 20, 5, 20, 55},
		{"held_left", photo(t, 60, 40, 8), 40, 60, 20, 55, 20, 5},
		{"large", photo(t, 3200, 400, 1), 1600, 200, 100, 100, 1500, 100},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out, err := Clean(bytes.NewReader(tt.in))
			if err != nil {
				t.Fatal(err)
			}
			img, err := jpeg.Decode(bytes.NewReader(out))
			if err != nil {
				t.Fatal(err)
			}
			if b := img.Bounds(); b.Dx() != tt.w || b.Dy() != tt.h {
				t.Fatalf("%v, want %d x %d", b, tt.w, tt.h)
			}
			r, _, b, _ := img.At(tt.redX, tt.redY).RGBA()
			r2, _, b2, _ := img.At(tt.blueX, tt.blue).RGBA()
			if r < 0xc000 || b > 0x4000 || r2 > 0x4000 || b2 < 0xc000 {
				t.Errorf("red is %x %x, blue is %x %x", r, b, r2, b2)
			}
		})
	}
}

func TestCleanTakesScreenshots(t *testing.T) {
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewNRGBA(image.Rect(0, 0, 10, 10))); err != nil { // all of it transparent
		t.Fatal(err)
	}
	out, err := Clean(&b)
	if err != nil {
		t.Fatal(err)
	}
	img, err := jpeg.Decode(bytes.NewReader(out))
	if err != nil {
		t.Fatal(err)
	}
	if r, _, _, _ := img.At(5, 5).RGBA(); r < 0xf000 {
		t.Errorf("what was transparent is %x, want white", r)
	}
}

func TestCleanRefusesInWords(t *testing.T) {
	whole := photo(t, 60, 40, 1)
	bomb := bytes.Clone(whole)
	at := bytes.Index(bomb, []byte{0xff, 0xc0})
	binary.BigEndian.PutUint16(bomb[at+5:], 60_000)
	binary.BigEndian.PutUint16(bomb[at+7:], 60_000)
	tests := []struct {
		name string
		in   []byte
		text string
	}{
		{"text", []byte("这不是图片"), "认不出"},
		{"empty", nil, "认不出"},
		{"half", whole[:len(whole)-20], "坏了"},
		{"pixels", bomb, "像素"},
		{"size", make([]byte, MaxBytes+1), "8 MB"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Clean(bytes.NewReader(tt.in))
			var fe *fleet.Error
			if fleet.CodeOf(err) != fleet.Invalid {
				t.Fatalf("Clean = %v, want a refusal", err)
			}
			if fe = err.(*fleet.Error); !strings.Contains(fe.Text, tt.text) {
				t.Errorf("%q does not say %q", fe.Text, tt.text)
			}
		})
	}
}

func FuzzCleanTakesAnyFile(f *testing.F) {
	f.Add(photo(f, 4, 4, 6))
	f.Add([]byte("\xff\xd8\xff\xe1\x00\x10Exif\x00\x00II*\x00\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, data []byte) {
		orientation(data)
		if len(data) > 4096 {
			return
		}
		if c, _, err := image.DecodeConfig(bytes.NewReader(data)); err != nil || c.Width*c.Height > 1<<16 {
			return
		}
		if out, err := Clean(bytes.NewReader(data)); err == nil && len(out) == 0 {
			t.Error("nothing was made of a picture")
		}
	})
}
