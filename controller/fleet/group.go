package fleet

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// GroupState is where a group is in its life.
type GroupState string

// The states of a group: 拟建→已建→更名→并入→解散.
const (
	GroupPlanned   GroupState = "planned"   // it has a code and a name and nobody made it yet
	GroupActive    GroupState = "active"    // it exists
	GroupRenamed   GroupState = "renamed"   // it exists and had another name before
	GroupMerged    GroupState = "merged"    // its members went to another group
	GroupDissolved GroupState = "dissolved" // it is no more
)

// GroupStates is every state, in the order of a group's life.
var GroupStates = []GroupState{GroupPlanned, GroupActive, GroupRenamed, GroupMerged, GroupDissolved}

// Lives reports whether a group in state s exists now.
func (s GroupState) Lives() bool { return s == GroupActive || s == GroupRenamed }

// Ended reports whether a group in state s is over for good.
func (s GroupState) Ended() bool { return s == GroupMerged || s == GroupDissolved }

// GroupPlatforms are the places where groups are, the usual one first.
var GroupPlatforms = []string{"wechat", "wecom", "dingtalk", "feishu", "other"}

// Group is a publicity group of one of three tiers. The office knows how many
// people are in it and never who.
type Group struct {
	ID    GroupID
	Tier  int    // 1 指挥, 2 组织, 3 宣传
	Code  string // 统一编号: never changes, and no other group ever has it
	Name  string // as the group is called now, errors included
	Unit  UnitID
	Grid  GridID // 0 unless of tier 3
	Seq   int    // 群序 at its place, from 1; 0 for a new group: the next one
	State GroupState

	Platform   string // one of GroupPlatforms
	Owner      string
	OwnerPost  string
	OwnerPhone Phone // of the present owner; erased with the owner
	Admins     []string
	Members    int // people, as somebody counted them
	Households int // 户数 that the group is for; 0 if not known
	Joined     int // 已进群户数
	Created    Day // 建群时间; zero if not known
	Changed    time.Time
	Ended      time.Time // when it was merged or dissolved; zero before
	Into       GroupID   // the group that it was merged into
	Former     []string  // 曾用名, the latest last
}

// GroupName is a name that a group had.
type GroupName struct {
	Name  string
	Until time.Time
	By    string // login
}

// GroupPerson is somebody who looks or looked after a group.
type GroupPerson struct {
	Owner    bool // or an administrator
	Name     string
	Post     string
	From, To time.Time // To zero means now; From zero means that nobody knows
}

// longestGroupName is the most characters of a name: WeChat takes fewer, and a
// register column no more.
const longestGroupName = 60

// Check returns nil when g can be kept, otherwise a *Error of code Invalid that
// names the field. The name is not held to the rule: what a group is called
// today is kept as it is.
func (g Group) Check() error {
	refuse := func(zh, en string) error { return &Error{Code: Invalid, Text: zh, TextEN: en} }
	switch {
	case g.Tier < 1 || g.Tier > 3:
		return refuse("级别只有一级、二级、三级。", "The tier is 1, 2 or 3.")
	case g.Unit == 0:
		return refuse("请选择群所属的单位。", "Choose the unit that the group belongs to.")
	case g.Tier == 3 && g.Grid == 0:
		return refuse("三级群要选所属网格；没有网格的，请先在单位页登记网格。", "A group of tier 3 needs its grid. Add the grid at the unit first.")
	case strings.TrimSpace(g.Name) == "":
		return refuse("请填写群名。", "Fill in the name of the group.")
	case len([]rune(g.Name)) > longestGroupName:
		return refuse(fmt.Sprintf("群名最多 %d 个字。", longestGroupName), fmt.Sprintf("A name has %d characters at most.", longestGroupName))
	case strings.ContainsAny(g.Name, "\r\n\t"):
		return refuse("群名里不能换行，也不能有制表符。", "A name has neither line ends nor tabs.")
	case g.Members < 0 || g.Members > 100_000:
		return refuse("群人数要是 0 到 100000 的数。", "The number of members is between 0 and 100,000.")
	case g.Households < 0 || g.Households > 1_000_000 || g.Joined < 0:
		return refuse("户数要是不小于 0 的数。", "The number of households is not below 0.")
	case g.Joined > g.Households:
		return refuse("已进群户数不能多于户数。", "There cannot be more households in the group than there are.")
	case g.Platform != "" && !slices.Contains(GroupPlatforms, g.Platform):
		return refuse("请选择群所在的平台。", "Choose the platform of the group.")
	case len(g.Admins) > 20:
		return refuse("管理员最多填 20 名。", "There are 20 administrators at most.")
	}
	for _, text := range append([]string{g.Name, g.Owner, g.OwnerPost, g.OwnerPhone.Full()}, g.Admins...) {
		if HoldsIdentity(text) {
			return refuse("不要填身份证号。群登记表只收姓名、职务和工作电话。", "Leave identity numbers out: the register takes name, post and work telephone only.")
		}
	}
	return nil
}

// MayBecome returns nil when a group may go from state g.State to to, otherwise
// a *Error of code Conflict. An ended group stays ended: its code is never used
// again.
func (g Group) MayBecome(to GroupState) error {
	ok := false
	switch to {
	case GroupActive:
		ok = g.State == GroupPlanned
	case GroupRenamed:
		ok = g.State.Lives()
	case GroupMerged:
		ok = g.State.Lives()
	case GroupDissolved:
		ok = !g.State.Ended()
	}
	if ok {
		return nil
	}
	return &Error{
		Code: Conflict, Text: "这个群现在的状态不能这样变更，请刷新页面再看。", TextEN: "The group cannot change to this from the state it is in. Look at the page again.",
	}
}
