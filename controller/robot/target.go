package robot

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"gatecast/controller/fleet"
)

// Draft is what a person fills in for a new robot.
type Draft struct {
	Name       string
	Platform   fleet.Platform
	URL        string
	Secret     string // empty: none, or a new one for a webhook
	Feeds      []fleet.Feed
	Keyword    string
	MentionAll bool
	Mobiles    string // separated by commas or spaces
}

// The longest a robot may be, and the most persons it mentions.
const (
	maxRobotName = 40 // characters
	maxKeyword   = 20 // characters
	maxSecret    = 200
	maxMobiles   = 20
)

var mobile = regexp.MustCompile(`^1[3-9]\d{9}$`)

// check returns the robot and the target that a draft describes. A refusal is
// a *fleet.Error that names the field.
func (d *Desk) check(v Draft) (fleet.Robot, fleet.RobotTarget, error) {
	robot := fleet.Robot{Name: strings.Join(strings.Fields(strings.ToValidUTF8(v.Name, "")), " "), Platform: v.Platform, MentionAll: v.MentionAll, Keyword: strings.TrimSpace(v.Keyword)}
	target := fleet.RobotTarget{URL: strings.TrimSpace(v.URL), Secret: strings.TrimSpace(v.Secret)}
	if n := utf8.RuneCountInString(robot.Name); n == 0 || n > maxRobotName {
		return robot, target, invalid(fmt.Sprintf("请填写名称，1 到 %d 个字。", maxRobotName), fmt.Sprintf("Give a name of 1 to %d characters.", maxRobotName))
	}
	if !slices.Contains(fleet.Platforms, v.Platform) {
		return robot, target, invalid("请选择平台。", "Choose a platform.")
	}
	u, err := d.parse(v.Platform, target.URL)
	if err != nil {
		return robot, target, err
	}
	robot.Host = u.Host
	for _, f := range v.Feeds {
		if !slices.Contains(fleet.Feeds, f) {
			return robot, target, invalid(fmt.Sprintf("没有 %q 这种内容。", f), fmt.Sprintf("There is nothing called %q to tell of.", f))
		}
		if !robot.Reads(f) {
			robot.Feeds = append(robot.Feeds, f)
		}
	}
	if len(robot.Feeds) == 0 {
		return robot, target, invalid("请至少选一项要推送的内容。", "Choose at least one thing to tell of.")
	}
	if len(target.Secret) > maxSecret || strings.ContainsAny(target.Secret, " \n\r\t") {
		return robot, target, invalid("密钥不对：应为一串没有空格的字符，请从机器人设置里整段复制。", "The secret is wrong: it is one run of characters. Copy all of it from the robot's settings.")
	}
	if v.Platform == fleet.Webhook && target.Secret == "" {
		var b [24]byte
		_, _ = rand.Read(b[:]) // never fails
		target.Secret = hex.EncodeToString(b[:])
	}
	if utf8.RuneCountInString(robot.Keyword) > maxKeyword || strings.ContainsAny(robot.Keyword, "\n\r") {
		return robot, target, invalid(fmt.Sprintf("关键词最多 %d 个字。", maxKeyword), fmt.Sprintf("A keyword has at most %d characters.", maxKeyword))
	}
	if target.Mobiles, err = mobiles(v); err != nil {
		return robot, target, err
	}
	robot.Mobiles = len(target.Mobiles)
	return robot, target, nil
}

func mobiles(v Draft) ([]string, error) {
	var all []string
	for _, m := range strings.FieldsFunc(v.Mobiles, func(r rune) bool { return strings.ContainsRune(" ,，、;；\n\r\t", r) }) {
		if !mobile.MatchString(m) {
			return nil, invalid("要提醒的手机号有误：请填 11 位手机号，多个用逗号分开。", "A number to mention is wrong: 11 digits each, with commas between.")
		}
		if !slices.Contains(all, m) {
			all = append(all, m)
		}
	}
	if len(all) > maxMobiles {
		return nil, invalid(fmt.Sprintf("最多提醒 %d 个人，更多请用“@所有人”。", maxMobiles), fmt.Sprintf("Mention at most %d persons, or everybody.", maxMobiles))
	}
	if len(all) > 0 && (v.Platform == fleet.Feishu || v.Platform == fleet.Webhook) {
		return nil, invalid("这个平台不能按手机号提醒，请清空手机号。", "This platform cannot mention by number. Leave the numbers empty.")
	}
	return all, nil
}

// parse reads an address and refuses what a robot must not be made to call: a
// page that sends wherever it is told is a way into the office's network.
func (d *Desk) parse(p fleet.Platform, text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" || u.Opaque != "" || len(text) > 1000 {
		return nil, invalid("地址有误：请从机器人设置里整段复制 Webhook 地址，以 https:// 开头。", "The address is wrong: copy the whole webhook address from the robot's settings; it begins with https://.")
	}
	if u.Scheme == "https" && platformOf(p).allows(u) {
		return u, nil
	}
	named := slices.Contains(d.o.Hosts, u.Host)
	if named && (u.Scheme == "https" || u.Scheme == "http") {
		switch p {
		case fleet.WeCom:
			named = isWeCom(u)
		case fleet.DingTalk:
			named = isDingTalk(u)
		case fleet.Feishu:
			named = isFeishu(u)
		}
		if named {
			return u, nil
		}
	}
	switch p {
	case fleet.WeCom:
		return nil, invalid("企业微信的地址应为 https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=…", "A WeCom address is https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=…")
	case fleet.DingTalk:
		return nil, invalid("钉钉的地址应为 https://oapi.dingtalk.com/robot/send?access_token=…", "A DingTalk address is https://oapi.dingtalk.com/robot/send?access_token=…")
	case fleet.Feishu:
		return nil, invalid("飞书的地址应为 https://open.feishu.cn/open-apis/bot/v2/hook/…", "A Feishu address is https://open.feishu.cn/open-apis/bot/v2/hook/…")
	}
	return nil, invalid("这个主机不在允许之列：请管理员把它加进主控配置的 robots.allowed_hosts。", "This host is not allowed: have the administrator add it to robots.allowed_hosts in the controller's configuration.")
}

func invalid(zh, en string) error { return &fleet.Error{Code: fleet.Invalid, Text: zh, TextEN: en} }
