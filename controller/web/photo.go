package web

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"image/jpeg"
	_ "image/png" // a form that telephones save pictures of screens in
	"io"

	"gatecast/controller/fleet"
)

// Bounds of photos. What is decoded takes four bytes a pixel.
const (
	maxPhoto  = 12 << 20   // bytes of an upload
	maxPixels = 50_000_000 // of a picture
	sidePhoto = 1280       // pixels of what is kept
)

func badPhoto(zh, en string) error { return &fleet.Error{Code: fleet.Invalid, Text: zh, TextEN: en} }

// shrinkPhoto reads a photo and encodes it anew: at most sidePhoto pixels a
// side, upright, and without anything else that was in the file, such as where
// and with what it was taken. A refusal is a *fleet.Error.
func shrinkPhoto(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxPhoto+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxPhoto {
		return nil, badPhoto("照片超过 12 MB，请用手机的普通画质重拍。", "The photo is above 12 MB: take it with the telephone's normal quality.")
	}
	conf, _, err := image.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return nil, badPhoto("这不是能读的照片，请上传 JPG 或 PNG；苹果手机请在设置里选“兼容性最佳”。", "This is no photo that can be read: upload JPG or PNG; on an iPhone choose the most compatible format.")
	}
	if conf.Width*conf.Height > maxPixels || conf.Width < 1 || conf.Height < 1 {
		return nil, badPhoto("照片的像素太多，请换一张 5000 万像素以下的。", "The photo has too many pixels: use one below 50 megapixels.")
	}
	img, _, err := image.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, badPhoto("照片已损坏，请重新上传。", "The photo is damaged: upload it again.")
	}
	var out bytes.Buffer
	if err := jpeg.Encode(&out, upright(shrink(img), orientation(data)), &jpeg.Options{Quality: 80}); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// shrink averages img down to at most sidePhoto pixels a side.
func shrink(img image.Image) *image.RGBA {
	b := img.Bounds()
	w, h := b.Dx(), b.Dy()
	if m := max(w, h); m > sidePhoto {
		w, h = max(1, w*sidePhoto/m), max(1, h*sidePhoto/m)
	}
	out := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		y0, y1 := b.Min.Y+y*b.Dy()/h, b.Min.Y+max(y*b.Dy()/h+1, (y+1)*b.Dy()/h)
		for x := range w {
			x0, x1 := b.Min.X+x*b.Dx()/w, b.Min.X+max(x*b.Dx()/w+1, (x+1)*b.Dx()/w)
			var r, g, bl, n uint64
			for sy := y0; sy < y1; sy++ {
				for sx := x0; sx < x1; sx++ {
					cr, cg, cb, _ := img.At(sx, sy).RGBA()
					r, g, bl, n = r+uint64(cr), g+uint64(cg), bl+uint64(cb), n+1
				}
			}
			out.SetRGBA(x, y, color.RGBA{uint8(r / n >> 8), uint8(g / n >> 8), uint8(bl / n >> 8), 255})
		}
	}
	return out
}

// upright turns img by the orientation of EXIF 2.32, tag 0x0112: 3, 6 and 8 are
// how telephones hold; mirrored ones are left as they are.
func upright(img *image.RGBA, orientation int) image.Image {
	b := img.Bounds()
	w, h := b.Dx(), b.Dy()
	var at func(x, y int) (int, int)
	switch orientation {
	case 3:
		at = func(x, y int) (int, int) { return w - 1 - x, h - 1 - y }
	case 6:
		at = func(x, y int) (int, int) { return h - 1 - y, x }
	case 8:
		at = func(x, y int) (int, int) { return y, w - 1 - x }
	default:
		return img
	}
	out := image.NewRGBA(image.Rect(0, 0, w, h))
	if orientation != 3 {
		out = image.NewRGBA(image.Rect(0, 0, h, w))
	}
	for y := range h {
		for x := range w {
			nx, ny := at(x, y)
			out.SetRGBA(nx, ny, img.RGBAAt(x, y))
		}
	}
	return out
}

// orientation reads how a JPEG was held, 1 where it does not say.
func orientation(data []byte) int {
	if len(data) < 4 || data[0] != 0xff || data[1] != 0xd8 {
		return 1
	}
	for at := 2; at+4 <= len(data) && data[at] == 0xff; {
		size := int(binary.BigEndian.Uint16(data[at+2:]))
		if size < 2 || at+2+size > len(data) || data[at+1] == 0xda {
			return 1
		}
		if body := data[at+4 : at+2+size]; data[at+1] == 0xe1 && bytes.HasPrefix(body, []byte("Exif\x00\x00")) {
			return tiffOrientation(body[6:])
		}
		at += 2 + size
	}
	return 1
}

// tiffOrientation finds the tag in the first directory.
func tiffOrientation(t []byte) int {
	if len(t) < 8 {
		return 1
	}
	var order binary.ByteOrder = binary.LittleEndian
	if t[0] == 'M' {
		order = binary.BigEndian
	}
	dir := uint64(order.Uint32(t[4:]))
	if dir+2 > uint64(len(t)) {
		return 1
	}
	n := uint64(order.Uint16(t[dir:]))
	for i := range n {
		e := dir + 2 + 12*i
		if e+12 > uint64(len(t)) {
			return 1
		}
		if order.Uint16(t[e:]) == 0x0112 {
			return int(order.Uint16(t[e+8:]))
		}
	}
	return 1
}
