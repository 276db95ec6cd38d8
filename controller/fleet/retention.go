package fleet

import (
	"fmt"
	"time"
)

// LeastRetention is the floor of how long the audit is kept: six months of any
// length. Cybersecurity Law of the PRC as amended 2025, article 23(3): network
// logs are kept for no less than six months.
const LeastRetention = 184 * 24 * time.Hour

// DefaultRetention is how long the audit is kept unless set otherwise, and
// DefaultErasePhone how long the telephone number of somebody who left.
const (
	DefaultRetention  = 400 * 24 * time.Hour
	DefaultErasePhone = 30 * 24 * time.Hour
)

// CheckRetention returns a *Error of code Invalid when keep is below
// LeastRetention.
func CheckRetention(keep time.Duration) error {
	if keep >= LeastRetention {
		return nil
	}
	days := float64(keep) / float64(24*time.Hour)
	return &Error{
		Code:   Invalid,
		Text:   fmt.Sprintf("审计至少保存 184 天（网络安全法规定网络日志留存不少于六个月），不能设为 %.4g 天。", days),
		TextEN: fmt.Sprintf("The audit is kept for at least 184 days (the law demands six months of logs); %.4g days cannot be set.", days),
	}
}
