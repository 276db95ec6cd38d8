package main

// previewText holds the words of a preview in one language.
type previewText struct {
	lang string

	noFile, badDays, badFrom, badHolidays      string
	noSuchPoint, noPoints, noOutput            string
	missingFile, unreadableFile                string
	programme, demo, point, header, nothing    string
	notTargeted, sounds, silenced, assumed, in string
	total, warning, conflict                   string
	weekdays                                   [7]string
	units                                      [3]string // hours, minutes, seconds
}

func previewTexts(lang string) *previewText {
	if lang == "en" {
		return &previewText{
			lang:           "en",
			noFile:         "no programme named; give a file, or default for the built-in programme",
			badDays:        "--days %d: the number of days must be between 1 and %d",
			badFrom:        "--from %q is not a day written as 2026-01-31",
			badHolidays:    "holiday table %q: %s",
			noSuchPoint:    "--point %q is not among the file's example points; there are: %s",
			noPoints:       "%s names no example_points; add some to preview without a controller",
			noOutput:       "writing the preview: %v",
			missingFile:    "no file %q",
			unreadableFile: "cannot read %q: %v",
			programme:      "Programme %s (%s), zone %s",
			demo:           "demo, exempt from every quiet rule",
			point:          "Point %s %s · %s",
			header:         "Date\tDay\tDay type\tSlot\tWindow\tClips\tResult",
			nothing:        "no slot",
			notTargeted:    "not a target of the programme",
			sounds:         "sounds %d×, every %s",
			silenced:       "silent: %s",
			assumed:        " (assumed)",
			in:             " (%s)",
			total:          "%d slots: %d sound (%d plays), %d silenced",
			warning:        "note: %s",
			conflict:       "conflict: %s",
			weekdays:       [7]string{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"},
			units:          [3]string{"%d h", "%d min", "%d s"},
		}
	}
	return &previewText{
		lang:           "zh",
		noFile:         "没有写方案文件；请写文件名，或写 default 看内置方案",
		badDays:        "--days %d：天数应在 1 到 %d 之间",
		badFrom:        "--from %q 不是日期，应写成 2026-01-31",
		badHolidays:    "放假安排 %q：%s",
		noSuchPoint:    "--point %q 不在文件的示例点位里；有：%s",
		noPoints:       "%s 里没有 example_points；没有主控时请写几个示例点位再预览",
		noOutput:       "输出预览：%v",
		missingFile:    "没有文件 %q",
		unreadableFile: "读不了文件 %q：%v",
		programme:      "方案 %s（%s），时区 %s",
		demo:           "演示方案，不受任何静默规则约束",
		point:          "点位 %s %s · %s",
		header:         "日期\t星期\t日期类型\t时段\t起止\t素材\t结果",
		nothing:        "没有时段",
		notTargeted:    "不在方案对象里",
		sounds:         "响 %d 次，每 %s一次",
		silenced:       "免播：%s",
		assumed:        "（推定）",
		in:             "（%s）",
		total:          "共 %d 段：出声 %d 段 %d 次，免播 %d 段",
		warning:        "提醒：%s",
		conflict:       "冲突：%s",
		weekdays:       [7]string{"日", "一", "二", "三", "四", "五", "六"},
		units:          [3]string{"%d 小时", "%d 分钟", "%d 秒"},
	}
}
