package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"

	"gatecast/internal/audit"
)

// openAudit checks path if it is an exported audit; ok is false when it is
// something else.
func openAudit(path, root string) (r audit.FileReport, ok bool, err error) {
	f, err := os.Open(path)
	if err != nil {
		return r, false, nil // whoever opens it next says so
	}
	defer f.Close()
	begin := make([]byte, len(auditBegin))
	if n, err := f.Read(begin); err != nil || !bytes.Equal(begin[:n], []byte(auditBegin)) {
		return r, false, nil
	}
	if _, err := f.Seek(0, 0); err != nil {
		return r, true, err
	}
	r, err = audit.Verify(f, root)
	if errors.Is(err, audit.ErrNoFile) {
		return r, false, nil
	}
	return r, true, err
}

// auditBegin is how an exported audit begins.
const auditBegin = `{"form":"gatecast-audit-`

// writeAudit says what was found and returns the exit status.
func (w verifyWords) writeAudit(path, root string, r audit.FileReport) int {
	w.line("审计 %s：%s，第 %d 至 %d 条（%s 至 %s），主控签名 %d 次", "Audit %s: %s, lines %d to %d (%s to %s), %d signatures of the controller",
		path, r.Office, r.First, r.Last, stamp(r.FromUS), stamp(r.ToUS), r.Heads)
	if r.Pruned > 0 {
		w.line("第 %d 条及以前已按保存期限清除，有记录为证", "lines up to %d were dropped by the retention, as a line says", r.Pruned)
	}
	if r.Restores > 0 {
		w.line("其间恢复过备份 %d 次：恢复点之后、恢复之前的操作不在其中", "a backup was restored %d times: what was done between a backup and its restore is not in it", r.Restores)
	}
	switch {
	case r.OtherRoot:
		w.line("不通过：信任根不是指定的那个，或不是它自己签的。", "FAILED: the trust root is not the one that was named, or not signed by itself.")
	case root != "":
		w.line("信任根 %s，与指定的一致", "trust root %s, as you named it", r.RootHash)
	default:
		w.line("信任根 %s：请与接入命令或街道公布的指纹核对，或用 --root 指定", "trust root %s: compare it with the join line or what the office published, or name it with --root", r.RootHash)
	}
	for i, f := range r.Faults {
		if i == 0 {
			w.line("不通过。第一处问题：%s", "FAILED. The first thing wrong: %s", w.auditFault(f))
		} else {
			w.line("  还有：%s", "  also: %s", w.auditFault(f))
		}
	}
	if r.More > 0 {
		w.line("  另有 %d 处", "  and %d more", r.More)
	}
	if len(r.Faults) > 0 || r.OtherRoot {
		return exitBad
	}
	w.line("通过：没有一条被改动、删减、调换或添加，直到第 %d 条都在签名之下。", "PASSED: no line was changed, removed, reordered or added; all up to line %d are signed.", r.Signed)
	w.line("离线无法得知：导出之后又发生了什么；主控密钥若已泄露，请与更早的导出比对。", "What cannot be known offline: what happened after the export; if the controller's key was stolen, compare with an earlier export.")
	return exitOK
}

// auditFault says what is wrong and where.
func (w verifyWords) auditFault(f audit.Fault) string {
	say := auditFaultWords[f.Code]
	text := w.pick(say[0], say[1])
	if f.Line > 0 {
		text = fmt.Sprintf(w.pick("第 %d 条：", "line %d: "), f.Line) + text
	}
	if f.From > 0 && f.From < f.Line {
		switch f.Code {
		case audit.Missing, audit.Cut:
			text += fmt.Sprintf(w.pick("（从第 %d 条起缺失）", " (missing from line %d)"), f.From)
		default:
			text += fmt.Sprintf(w.pick("（改动在第 %d 到 %d 条之间）", " (the change is in lines %d to %d)"), f.From, f.Line)
		}
	}
	if f.Detail != "" {
		text += fmt.Sprintf(w.pick("（%s）", " (%s)"), f.Detail)
	}
	return text
}

// auditFaultWords says each fault in Chinese and English.
var auditFaultWords = map[audit.Code][2]string{
	audit.Unreadable: {"不是一条审计记录", "is not a line of the audit"},
	audit.Changed:    {"内容与它的哈希不符：这一条被改过", "does not have its hash: this line was changed"},
	audit.Chain:      {"与前一条接不上，两条之一被改过", "does not follow from the one in front: one of the two was changed"},
	audit.Missing:    {"它前面有记录被拿掉", "lines in front of it were taken out"},
	audit.Order:      {"编号重复或次序颠倒", "its number was there already, or is out of turn"},
	audit.Signed:     {"与主控签过名的内容不同", "is not what the controller signed"},
	audit.Cut:        {"签过名的记录不在：末尾被截掉", "signed lines are not there: the end was cut off"},
	audit.BadHead:    {"签名不是这个主控的，或前后接不上", "a signature is not this controller's, or does not follow from the one before"},
	audit.NoHead:     {"没有签名覆盖", "is covered by no signature"},
}
