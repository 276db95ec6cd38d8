package fleet

import "slices"

// Role is what an account may do. A person has one account, an account one
// role.
type Role string

// The roles.
const (
	Admin           Role = "admin"      // 系统管理员: runs the system, signs off no content
	Clerk           Role = "clerk"      // 内容管理员: submits content, plans, enrols
	Approver        Role = "approver"   // 签发人: signs off what others submitted
	Supervisor      Role = "supervisor" // 督导员: reads everything, publishes periods
	UnitAccount     Role = "unit"       // 单位账号: its own unit
	PropertyAccount Role = "property"   // 物业账号: the points of its own company
	Auditor         Role = "auditor"    // 审计员: the audit and nothing else
)

// Roles is every role, in the order in which they are offered.
var Roles = []Role{Admin, Clerk, Approver, Supervisor, UnitAccount, PropertyAccount, Auditor}

// Valid reports whether r is one of Roles.
func (r Role) Valid() bool { return slices.Contains(Roles, r) }

// Scoped reports whether accounts of role r see only what is their own: the
// points of a unit or of a property company.
func (r Role) Scoped() bool { return r == UnitAccount || r == PropertyAccount }

// Action is something a user may or may not do.
type Action string

// The actions that pages, API calls and commands ask for.
const (
	ActAccount     Action = "account"      // one's own account: password, second factor, logout
	ActRead        Action = "read"         // everything but the audit
	ActOwn         Action = "own"          // what belongs to the account's own unit or company
	ActInstall     Action = "install"      // install a device at a point of one's own, hear its test tone
	ActUpload      Action = "upload"       // upload clips and submit them for approval
	ActApprove     Action = "approve"      // sign off clips that others submitted, recall them
	ActActivate    Action = "activate"     // write and activate programmes, calendars, what a complaint leads to
	ActRegister    Action = "register"     // keep the registry: units, people, groups, points; import rosters
	ActRelay       Action = "relay"        // send an item down the tiers of groups
	ActAlert       Action = "alert"        // take note of an alert, and say what was done
	ActInspect     Action = "inspect"      // write down what was heard at a point
	ActUrgent      Action = "urgent"       // submit an urgent broadcast
	ActUrgentFirst Action = "urgent_first" // 先播后审: have it sound before the second person looked
	ActMute        Action = "mute"         // silence every gate
	ActUnmute      Action = "unmute"       // let them sound again
	ActEnrol       Action = "enrol"        // issue join codes, accept devices, replace them
	ActRevoke      Action = "revoke"       // take a device's rights away
	ActPublish     Action = "publish"      // sign and seal a period, sign a correction
	ActCompose     Action = "compose"      // write bulletins and send them up to be signed
	ActDirect      Action = "direct"       // 直报: read the reports of the supervision team, which reach the heads alone
	ActReport      Action = "report"       // write those reports
	ActReveal      Action = "reveal"       // see a whole telephone number, for a reason
	ActUsers       Action = "users"        // accounts and their roles, API tokens
	ActSettings    Action = "settings"     // settings of the system, the trust keys
	ActAudit       Action = "audit"        // read and export the audit
)

// permissions is the whole matrix.
var permissions = map[Role][]Action{
	Admin: {
		ActAccount, ActRead, ActInspect, ActUpload, ActActivate, ActRegister, ActRelay, ActAlert, ActUrgent, ActMute, ActEnrol, ActRevoke, ActPublish, ActCompose,
		ActInstall, ActReveal, ActUsers, ActSettings,
	},
	Clerk:           {ActAccount, ActRead, ActInspect, ActUpload, ActActivate, ActRegister, ActRelay, ActAlert, ActUrgent, ActMute, ActEnrol, ActInstall, ActReveal, ActCompose},
	Approver:        {ActAccount, ActRead, ActApprove, ActRelay, ActAlert, ActUrgent, ActUrgentFirst, ActMute, ActUnmute, ActRevoke, ActPublish, ActDirect},
	Supervisor:      {ActAccount, ActRead, ActInspect, ActAlert, ActPublish, ActMute, ActDirect, ActReport},
	UnitAccount:     {ActAccount, ActOwn},
	PropertyAccount: {ActAccount, ActOwn, ActInstall},
	Auditor:         {ActAccount, ActAudit},
}

// May reports whether role may do what. An unknown role may do nothing.
func May(role Role, what Action) bool { return slices.Contains(permissions[role], what) }
