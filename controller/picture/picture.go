// Package picture makes pictures that people upload fit to be kept: it decodes
// them and writes them anew, so that nothing of the file but what is seen
// remains. Where and when a photo was taken, and with which telephone, is gone.
// Functions are safe for concurrent use; one picture takes up to 100 MB of
// memory while it is read.
package picture

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"image/jpeg"
	_ "image/png" // the form of most screenshots
	"io"

	"gatecast/controller/fleet"
)

// MaxBytes is the largest file that is read: a screenshot has 1 MB, a photo 6.
const MaxBytes = 8 << 20

// Pictures with more pixels are refused, before they are decoded: at 4 bytes a
// pixel they would fill the memory of a small office machine.
const maxPixels = 24_000_000

// LongSide is the longer side of what is kept, in pixels; larger pictures are
// made smaller. Text of a telephone's screen stays readable.
const LongSide = 1600

// quality of the JPEG: about 150 kB for a screenshot.
const quality = 78

func refuse(zh, en string, err error) error {
	return &fleet.Error{Code: fleet.Invalid, Text: zh, TextEN: en, Err: err}
}

// Clean reads a PNG or JPEG and returns what is seen of it as a JPEG without
// any other data. Files that are too large, damaged, or of another kind are a
// *fleet.Error of code Invalid.
func Clean(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, MaxBytes+1))
	if err != nil {
		return nil, refuse("图片没有传完，请再选一次。", "The picture did not arrive whole. Choose it again.", err)
	}
	if len(data) > MaxBytes {
		return nil, refuse("图片超过 8 MB，请截屏或裁小以后再传。", "The picture has more than 8 MB. Take a screenshot, or cut it smaller.", nil)
	}
	c, _, err := image.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return nil, refuse("认不出这张图片，请用 JPG 或 PNG；苹果手机的 HEIC 照片请先截屏。", "This is no JPG or PNG. For a HEIC photo, take a screenshot of it first.", err)
	}
	if c.Width < 1 || c.Height < 1 || c.Width > maxPixels || c.Height > maxPixels || c.Width*c.Height > maxPixels {
		return nil, refuse("图片的像素太多，请截屏以后再传。", "The picture has too many pixels. Take a screenshot of it.", nil)
	}
	img, _, err := image.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, refuse("图片坏了，打不开，请重新截屏。", "The picture is damaged. Take the screenshot again.", err)
	}
	var out bytes.Buffer
	if err := jpeg.Encode(&out, upright(shrink(img), orientation(data)), &jpeg.Options{Quality: quality}); err != nil {
		return nil, refuse("图片坏了，打不开，请重新截屏。", "The picture is damaged. Take the screenshot again.", err)
	}
	return out.Bytes(), nil
}

// shrink returns img on white, no larger than LongSide: each pixel is the mean
// of those it stands for.
func shrink(img image.Image) *image.RGBA {
	b := img.Bounds()
	w, h := b.Dx(), b.Dy()
	if long := max(w, h); long > LongSide {
		w, h = max(1, w*LongSide/long), max(1, h*LongSide/long)
	}
	out := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		y0, y1 := b.Min.Y+y*b.Dy()/h, b.Min.Y+max((y+1)*b.Dy()/h, y*b.Dy()/h+1)
		for x := range w {
			x0, x1 := b.Min.X+x*b.Dx()/w, b.Min.X+max((x+1)*b.Dx()/w, x*b.Dx()/w+1)
			var r, g, bl, n uint32
			for yy := y0; yy < y1; yy++ {
				for xx := x0; xx < x1; xx++ {
					pr, pg, pb, pa := img.At(xx, yy).RGBA()
					white := 0xffff - pa
					r, g, bl, n = r+(pr+white)>>8, g+(pg+white)>>8, bl+(pb+white)>>8, n+1
				}
			}
			out.SetRGBA(x, y, color.RGBA{uint8(r / n), uint8(g / n), uint8(bl / n), 0xff})
		}
	}
	return out
}

// upright turns img as an EXIF orientation of 3, 6 or 8 says; telephones write
// no other.
func upright(img *image.RGBA, orientation int) *image.RGBA {
	w, h := img.Rect.Dx(), img.Rect.Dy()
	var out *image.RGBA
	switch orientation {
	case 3:
		out = image.NewRGBA(image.Rect(0, 0, w, h))
	case 6, 8:
		out = image.NewRGBA(image.Rect(0, 0, h, w))
	default:
		return img
	}
	for y := range h {
		for x := range w {
			p := img.RGBAAt(x, y)
			switch orientation {
			case 3:
				out.SetRGBA(w-1-x, h-1-y, p)
			case 6:
				out.SetRGBA(h-1-y, x, p)
			case 8:
				out.SetRGBA(y, w-1-x, p)
			}
		}
	}
	return out
}

// orientation returns what the EXIF part of a JPEG says about how it was held
// (CIPA DC-008, tag 0x0112), 1 where it says nothing.
func orientation(data []byte) int {
	for at := 2; at+4 <= len(data) && data[at] == 0xff && data[at+1] != 0xda; {
		size := int(binary.BigEndian.Uint16(data[at+2:]))
		end := at + 2 + size
		if size < 2 || end > len(data) {
			return 1
		}
		if part := data[at+4 : end]; data[at+1] == 0xe1 && len(part) > 14 && string(part[:6]) == "Exif\x00\x00" {
			return tiffOrientation(part[6:])
		}
		at = end
	}
	return 1
}

func tiffOrientation(b []byte) int {
	var order binary.ByteOrder = binary.BigEndian
	if string(b[:2]) == "II" {
		order = binary.LittleEndian
	}
	dir := int64(order.Uint32(b[4:]))
	if dir+2 > int64(len(b)) {
		return 1
	}
	entries := b[dir+2:]
	for n := order.Uint16(b[dir:]); n > 0 && len(entries) >= 12; n-- {
		if order.Uint16(entries) == 0x0112 {
			return int(order.Uint16(entries[8:]))
		}
		entries = entries[12:]
	}
	return 1
}
