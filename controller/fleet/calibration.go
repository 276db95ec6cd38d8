package fleet

import "time"

// Row ids of calibrations and their photos.
type (
	CalibrationID int64
	PhotoID       int64
)

// Ways of measuring.
const (
	ByMeter = "meter" // 声级计
	ByApp   = "phone" // an app on a telephone: a hint, no measurement
)

// Calibration is what was measured at the nearest window with the point on and
// off.
type Calibration struct {
	ID     CalibrationID
	Point  PointID
	Day    Day     // of the measurement
	OnDB   float64 // dB(A) with the point sounding
	OffDB  float64 // dB(A) without
	Method string  // ByMeter or ByApp
	Class  int     // noise class of the place by GB 3096, 1 or 2
	Who    string  // who measured
	Note   string
	Photo  PhotoID // 0 for none
	By     string  // login that wrote it down
	At     time.Time
}

// Limits of what a point may do at the nearest window. The differences are the
// project's defaults; the day values are those of GB 3096-2008 for areas of
// class 1 (housing, medicine, education) and class 2 (mixed).
const (
	MaxRiseDB   = 5.0
	DayClass1DB = 55.0
	DayClass2DB = 60.0
)

// CalibrationWarning is a thing about a calibration that somebody should look
// at; its words are in the catalogs under "calibration.warn." and it.
type CalibrationWarning string

// The warnings.
const (
	WarnRise CalibrationWarning = "rise" // more than MaxRiseDB above the place without it
	WarnLoud CalibrationWarning = "loud" // louder than the class of the place allows by day
	WarnApp  CalibrationWarning = "app"  // measured with a telephone
)

// DayLimit returns the limit by day in dB(A) of a noise class; a class that is
// not known counts as 1, the stricter one.
func DayLimit(class int) float64 {
	if class == 2 {
		return DayClass2DB
	}
	return DayClass1DB
}

// Warnings returns what should be looked at.
func (c Calibration) Warnings() []CalibrationWarning {
	var all []CalibrationWarning
	if c.OnDB-c.OffDB > MaxRiseDB {
		all = append(all, WarnRise)
	}
	if c.OnDB > DayLimit(c.Class) {
		all = append(all, WarnLoud)
	}
	if c.Method == ByApp {
		all = append(all, WarnApp)
	}
	return all
}

// Check returns nil when the calibration can be kept, otherwise a *Error of
// code Invalid that names what is wrong.
func (c Calibration) Check(today Day) error {
	refuse := func(zh, en string) error { return &Error{Code: Invalid, Text: zh, TextEN: en} }
	_, err := time.Parse(time.DateOnly, string(c.Day))
	switch {
	case err != nil:
		return refuse("测量日期要写成 2026-11-23 的样子。", "Write the day of the measurement like 2026-11-23.")
	case c.Day > today:
		return refuse("测量日期不能在今天之后。", "The day of the measurement lies in the future.")
	case !(c.OnDB >= 20 && c.OnDB <= 130), !(c.OffDB >= 20 && c.OffDB <= 130):
		return refuse("开、关两次读数都要填，单位 dB(A)，在 20 到 130 之间。", "Fill in both readings in dB(A), between 20 and 130.")
	case c.OnDB < c.OffDB:
		return refuse("开播时的读数低于关闭时，请核对是否填反。", "The reading with the point on is below the one with it off: check that they are not swapped.")
	case c.Method != ByMeter && c.Method != ByApp:
		return refuse("请选择测量方法：声级计或手机。", "Choose how it was measured: sound level meter or telephone.")
	case c.Class != 1 && c.Class != 2:
		return refuse("请选择声环境功能区类别：1 类或 2 类。", "Choose the noise class of the place: 1 or 2.")
	case c.Who == "" || len([]rune(c.Who)) > 40:
		return refuse("请填写测量人，最多 40 个字。", "Fill in who measured, 40 characters at most.")
	case len([]rune(c.Note)) > 200:
		return refuse("备注最多 200 个字。", "The note takes 200 characters at most.")
	case HoldsIdentity(c.Who + " " + c.Note):
		return refuse("这里不收身份证号，请删去。", "Identity numbers are not kept here: remove it.")
	}
	return nil
}
