package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"gatecast/internal/evidence"
	"gatecast/internal/wire"
)

// verifyWords says what verify found, in one language.
type verifyWords struct {
	out io.Writer
	en  bool
}

func (w verifyWords) pick(zh, en string) string {
	if w.en {
		return en
	}
	return zh
}

func (w verifyWords) line(zh, en string, args ...any) {
	fmt.Fprintf(w.out, w.pick(zh, en)+"\n", args...)
}

// unusable says why there is nothing to verify.
func (w verifyWords) unusable(path string, err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Sprintf(w.pick("没有 %s 这个文件或目录，请核对路径。", "There is no %s: check the path."), path)
	case errors.Is(err, errNeither), errors.Is(err, evidence.ErrNoExport):
		return fmt.Sprintf(w.pick("%s 既不是设备日志目录，也不是证据包。请给出含 *.seg 的目录（设备数据目录也行），或主控导出的 zip 或目录。（%v）",
			"%s is neither a journal nor an export. Name a folder with *.seg files (a device's data folder will do), or a zip or folder exported by the controller. (%v)"), path, err)
	}
	return fmt.Sprintf(w.pick("%s 无法读取：%v", "%s cannot be read: %v"), path, err)
}

func (w verifyWords) write(v *verified) {
	if e := v.export; e != nil {
		c := e.Contents
		w.line("证据包 %s：%s，%s 至 %s（%s），设备 %d 台，日志 %d 份", "Export %s: %s, %s to %s (%s), %d devices, %d logs",
			v.path, c.Office, c.From, c.To, c.Zone, len(c.Devices), len(c.Logs))
	} else {
		w.line("设备日志 %s：日志 %d 份", "Journal %s: %d logs", v.path, len(v.report.Logs))
	}
	for _, l := range v.report.Logs {
		w.log(l)
	}
	for _, g := range v.report.Gaps {
		w.line("· 日志 %s 缺记录 %s，设备已签名说明原因：%s", "· log %s lacks records %s; the device says why under its signature: %s", g.Log, span(g.Hole), w.why(g.Why))
	}
	w.receipts(v)
	w.verdict(v)
}

func (w verifyWords) log(l evidence.LogReport) {
	device := string(l.Device)
	if device == "" {
		device = w.pick("未知", "unknown")
	}
	w.line("· 设备 %s，日志 %s：记录 %d 至 %d，共 %d 条", "· device %s, log %s: records %d to %d, %d of them", device, l.Log, l.First, l.Last, l.Records)
	if l.ToUS > 0 {
		w.line("    可信时间 %s 至 %s", "    trusted times %s to %s", stamp(l.FromUS), stamp(l.ToUS))
	}
	if l.Checkpoints > 0 {
		w.line("    设备签名（%d 个检查点）覆盖到记录 %d", "    the device's signature (%d checkpoints) covers up to record %d", l.Checkpoints, l.Signed)
	}
	if l.Receipts > 0 {
		w.line("    主控签名（%d 份回执）覆盖到记录 %d", "    the controller's signature (%d receipts) covers up to record %d", l.Receipts, l.Receipted)
	}
	var bare []string
	for _, h := range l.Bare {
		if h.Last > l.Receipted {
			bare = append(bare, span(evidence.Hole{First: max(h.First, l.Receipted+1), Last: h.Last}))
		}
	}
	if len(bare) > 0 {
		w.line("    没有任何签名覆盖：记录 %s", "    covered by no signature: records %s", strings.Join(bare, ", "))
	}
	if l.WallBack > 0 {
		w.line("    注意：从记录 %d 起时钟曾往回走", "    note: the wall clock went back at record %d", l.WallBack)
	}
}

func (w verifyWords) receipts(v *verified) {
	switch {
	case v.rootHash == "" && v.report.Unchecked > 0:
		w.line("有 %d 份主控回执没有核对：缺信任根文件，可用 --trust 指定。", "%d receipts of the controller were not checked for want of the trust root; name it with --trust.", v.report.Unchecked)
	case v.rootHash == "":
	case v.pinned:
		w.line("信任根 %s，与指定的一致", "trust root %s, as you named it", v.rootHash)
	default:
		w.line("信任根 %s：请与接入命令或街道公布的指纹核对，或用 --root 指定", "trust root %s: compare it with the join line or what the office published, or name it with --root", v.rootHash)
	}
}

func (w verifyWords) verdict(v *verified) {
	if v.otherRoot {
		w.line("不通过：信任根不是指定的那个。", "FAILED: the trust root is not the one that was named.")
	}
	for i, f := range v.report.Faults {
		if i == 0 {
			w.line("不通过。第一处问题：%s", "FAILED. The first thing wrong: %s", w.fault(f))
		} else if i < 20 {
			w.line("  还有：%s", "  also: %s", w.fault(f))
		}
	}
	if len(v.report.Faults) == 0 && !v.otherRoot {
		w.line("通过：签名覆盖的记录没有被改动、删减、调换或添加。", "PASSED: no record that a signature covers was changed, removed, reordered or added.")
	}
	w.line("离线无法得知：最后一个签名之后的记录是否被截掉或改过；请与对方手中的回执或主控的记录核对。",
		"What cannot be known offline: whether records behind the last signature were cut off or changed; compare with the receipts the other side keeps, or with the controller.")
}

// fault says what is wrong and where.
func (w verifyWords) fault(f evidence.Fault) string {
	at := ""
	switch {
	case f.Log != "" && f.Seq > 0:
		at = fmt.Sprintf(w.pick("设备 %s 日志 %s 记录 %d：", "device %s, log %s, record %d: "), f.Device, f.Log, f.Seq)
	case f.Log != "":
		at = fmt.Sprintf(w.pick("设备 %s 日志 %s：", "device %s, log %s: "), f.Device, f.Log)
	}
	say := faultWords[f.Code]
	text := w.pick(say[0], say[1])
	if text == "" {
		text = string(f.Code)
	}
	if f.From > 0 && f.From < f.Seq {
		switch f.Code {
		case evidence.Missing, evidence.Cut, evidence.LostLog:
			text += fmt.Sprintf(w.pick("（从记录 %d 起缺失）", " (missing from record %d)"), f.From)
		default:
			text += fmt.Sprintf(w.pick("（改动在记录 %d 到 %d 之间）", " (the change is in records %d to %d)"), f.From, f.Seq)
		}
	}
	if f.Detail != "" {
		text += fmt.Sprintf(w.pick("（%s）", " (%s)"), f.Detail)
	}
	return at + text
}

// faultWords says each fault in Chinese and English.
var faultWords = map[evidence.Code][2]string{
	evidence.Unreadable: {"不是一条记录", "is not a record"},
	evidence.Foreign:    {"属于另一份日志", "belongs to another log"},
	evidence.Missing:    {"它前面有记录被拿掉，又没有设备签名的说明", "records in front of it are gone and nothing signed says why"},
	evidence.Order:      {"编号重复或次序颠倒", "its number was there already, or is out of turn"},
	evidence.Chain:      {"与前一条接不上，两条之一被改过", "does not follow from the one in front: one of the two was changed"},
	evidence.Forged:     {"设备签名与内容不符", "the device's signature does not fit"},
	evidence.Stranger:   {"是另一台设备的签名", "is signed by another device"},
	evidence.Unsigned:   {"设备不会隔这么久不签名：检查点被拿掉了", "a device does not go so long without signing: checkpoints were removed"},
	evidence.Backwards:  {"开机计时倒退", "the time since boot goes back"},
	evidence.Receipt:    {"与主控回执签收的内容不同", "is not what the controller's receipt signed"},
	evidence.Cut:        {"已签名的记录不在：末尾被截掉", "signed records are not there: the end was cut off"},
	evidence.BadReceipt: {"回执不是这个主控签的", "the receipt was not signed by this controller"},
	evidence.Fork:       {"回执互相矛盾：同一编号有两份，或前后接不上", "receipts contradict each other: two of one number, or one that does not follow"},
	evidence.Disputed:   {"回执送到时设备的日志内容与它不同", "when the receipt came, the device's journal said something else"},
	evidence.LostLog:    {"整份日志被拿掉", "a whole log was removed"},
	evidence.Changed:    {"证据包的文件与封存时不同", "a file of the export is not the one that was sealed"},
}

// why says why a device lacks records.
func (w verifyWords) why(code string) string {
	switch code {
	case "corrupt":
		return w.pick("存储卡读不出", "the card does not give them back")
	case "full":
		return w.pick("存储空间不够", "no space")
	case "aged", "dropped":
		return w.pick("到期清理", "old and removed")
	case "sync":
		return w.pick("存储卡没有写成", "the card did not take them")
	}
	return code
}

func span(h evidence.Hole) string {
	if h.First == h.Last {
		return fmt.Sprint(h.First)
	}
	return fmt.Sprintf("%d–%d", h.First, h.Last)
}

func stamp(us int64) string { return wire.FromUS(us).Format("2006-01-02 15:04:05Z") }
