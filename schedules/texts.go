package schedules

import (
	"maps"
	"slices"
)

// The rules of the file as such.
const (
	RuleSize       Rule = "file_size"
	RuleEncoding   Rule = "encoding"
	RuleSyntax     Rule = "yaml_syntax"
	RuleQuotes     Rule = "needs_quotes"
	RuleEmpty      Rule = "empty_file"
	RuleOneFile    Rule = "one_document"
	RuleAlias      Rule = "no_alias"
	RuleUnknownKey Rule = "unknown_key"
	RuleTypo       Rule = "unknown_key_like"
	RuleTwice      Rule = "key_twice"
	RuleMissing    Rule = "missing_key"
	RuleNoValue    Rule = "no_value"
	RuleMapping    Rule = "want_mapping"
	RuleList       Rule = "want_list"
	RuleScalar     Rule = "want_scalar"
)

// The rules of single values.
const (
	RuleBool      Rule = "want_bool"
	RuleNumber    Rule = "want_number"
	RuleTime      Rule = "want_time"
	RuleTimes     Rule = "want_times"
	RuleDate      Rule = "want_date"
	RuleDuration  Rule = "want_duration"
	RuleRange     Rule = "out_of_range"
	RuleOneOf     Rule = "one_of"
	RuleID        Rule = "identifier"
	RuleReserved  Rule = "reserved_id"
	RuleName      Rule = "name"
	RuleCode      Rule = "code"
	RuleClip      Rule = "clip_ref"
	RuleTooMany   Rule = "too_many"
	RuleEmptyList Rule = "empty_list"
	RuleRepeated  Rule = "repeated"
	RuleZone      Rule = "zone"
)

// The rules of a start.
const (
	RuleCron      Rule = "cron_syntax"
	RuleCronField Rule = "cron_field"
	RuleCronZone  Rule = "cron_zone"
	RuleCronEvery Rule = "cron_descriptor"
	RuleCronDays  Rule = "cron_both_days"
	RuleCronNever Rule = "cron_never"
	RuleCronOften Rule = "cron_too_often"
	RuleCronDates Rule = "cron_never_valid"
)

// The rules between values.
const (
	RuleDates          Rule = "dates_reversed"
	RuleNoTargets      Rule = "no_targets"
	RuleAllTargets     Rule = "all_and_more"
	RuleNothing        Rule = "nothing_in_it"
	RuleNoWindow       Rule = "no_window"
	RuleTwoWindows     Rule = "until_and_duration"
	RuleUntilStarts    Rule = "until_many_starts"
	RuleUntilBefore    Rule = "until_before_start"
	RuleGrace          Rule = "grace_too_long"
	RuleSelfOverlap    Rule = "overlaps_itself"
	RuleSlotOverlap    Rule = "slots_overlap"
	RuleOverrideDays   Rule = "override_days"
	RuleOverrideTwice  Rule = "override_day_twice"
	RuleOverrideEmpty  Rule = "override_empty"
	RuleRuleTimes      Rule = "rule_times"
	RuleMiddayReason   Rule = "midday_reason"
	RuleInsideQuiet    Rule = "slot_in_quiet_hours"
	RuleReason         Rule = "soft_quiet_reason"
	RuleReasonWeekends Rule = "soft_quiet_reason_day_off"
)

// The rules that need more than the file, and the warnings.
const (
	RuleSameProgramme  Rule = "programme_twice"
	RuleNoProgramme    Rule = "no_programme"
	RuleDeadTarget     Rule = "dead_target"
	RuleNoPoint        Rule = "no_point"
	RuleUnknownClip    Rule = "unknown_clip"
	RuleClipTooLong    Rule = "clip_too_long"
	RuleSoundsIntoNext Rule = "sounds_into_next"
	RuleSoundsIntoRule Rule = "sounds_into_quiet"
	RuleBudget         Rule = "daily_budget"
	RuleYearUnknown    Rule = "year_unknown"
	RulePartlyQuiet    Rule = "partly_quiet"
)

// The rules of a holiday table.
const (
	RuleHolidayColumns Rule = "holiday_columns"
	RuleHolidayJSON    Rule = "holiday_json"
	RuleHolidayNone    Rule = "holiday_none"
	RuleHolidayYear    Rule = "holiday_year"
	RuleHolidayWork    Rule = "holiday_work"
)

type ruleText struct{ zh, en string }

// ruleTexts is immutable. Both texts of a rule take the same arguments in the
// same order, written %[1]s where a language needs another order.
var ruleTexts = map[Rule]ruleText{
	RuleSize:       {"文件超过 %s，请拆成几个方案", "the file is larger than %s; split it into several programmes"},
	RuleEncoding:   {"文件不是 UTF-8 编码，请在编辑器里另存为 UTF-8", "the file is not UTF-8 text; save it as UTF-8"},
	RuleSyntax:     {"YAML 写法有误：%s", "invalid YAML: %s"},
	RuleQuotes:     {"以 * 或 & 开头的内容要加引号，例如 start: \"*/30 8 * * *\"", "a value that begins with * or & needs quotes, as in start: \"*/30 8 * * *\""},
	RuleEmpty:      {"文件里没有方案", "the file holds no programme"},
	RuleOneFile:    {"一个文件只能写一个方案，请去掉 --- 之后的内容", "a file holds one programme; remove what follows ---"},
	RuleAlias:      {"不支持 YAML 的锚点和引用（& * <<），请把内容直接写出来", "YAML anchors and aliases (& * <<) are not supported; write the value out"},
	RuleUnknownKey: {"没有 “%s” 这一项；这里可以写：%s", "unknown key %q; allowed here: %s"},
	RuleTypo:       {"没有 “%s” 这一项，是不是 “%s”？", "unknown key %q; did you mean %q?"},
	RuleTwice:      {"“%s” 写了两次（前一次在第 %s 行），请只留一处", "key %q appears twice (first on line %s); keep one"},
	RuleMissing:    {"缺少 “%s”", "missing key %q"},
	RuleNoValue:    {"没有填内容；请填写，或删掉这一行", "the value is empty; fill it in or delete the line"},
	RuleMapping:    {"这里应当是若干 “项: 值”", "want a mapping of keys to values"},
	RuleList:       {"这里应当是一个列表，写成 [甲, 乙] 或每行一个 “- 甲”", "want a list, written [a, b] or as lines that begin with a dash"},
	RuleScalar:     {"这里应当是一个值，不能是列表或多项", "want a single value, not a list or a mapping"},

	RuleBool:      {"“%s” 应当写 true 或 false", "%q is not true or false"},
	RuleNumber:    {"“%s” 不是数字", "%q is not a number"},
	RuleTime:      {"“%s” 不是时刻，应写成 07:30（00:00 到 24:00）", "%q is not a time of day written as 07:30 (00:00 to 24:00)"},
	RuleTimes:     {"“%s” 不是时间段，应写成 12:00-14:00；跨夜写成 21:30-07:00", "%q is not a time range written as 12:00-14:00, or 21:30-07:00 across midnight"},
	RuleDate:      {"“%s” 不是日期，应写成 2026-01-31", "%q is not a day written as 2026-01-31"},
	RuleDuration:  {"“%s” 不是时长，应写成 30s、5m 或 1h30m", "%q is not a duration written as 30s, 5m or 1h30m"},
	RuleRange:     {"%s 超出范围，应在 %s 到 %s 之间", "%s is out of range; it must be between %s and %s"},
	RuleOneOf:     {"“%s” 不认识；可以写：%s", "%q is not known; choose from: %s"},
	RuleID:        {"“%s” 不能作编号：用小写字母、数字和减号，字母或数字开头，最多 40 个", "%q cannot be an id: use lower-case letters, digits and hyphens, beginning with a letter or digit, at most 40"},
	RuleReserved:  {"编号 “%s” 是系统规则的名字，请换一个", "id %q is the name of a built-in rule; choose another"},
	RuleName:      {"“%s” 不能作名称：不能为空、不能超过 %s 个字、不能有换行或控制字符", "%q cannot be used here: it must not be empty, longer than %s characters or hold line breaks"},
	RuleCode:      {"“%s” 不能作代码：不能为空、不能有空格，最多 64 个字", "%q cannot be a code: it must not be empty, hold spaces or be longer than 64 characters"},
	RuleClip:      {"“%s” 不能指素材：写素材名（字母、数字、减号、下划线）或 64 位的 sha256", "%q cannot name a clip: write the clip's name (letters, digits, hyphens, underscores) or its sha256 in 64 hex digits"},
	RuleTooMany:   {"有 %s 项，最多 %s 项", "%s entries; at most %s are allowed"},
	RuleEmptyList: {"列表是空的；请至少写一项，或删掉这一行", "the list is empty; name at least one or delete the line"},
	RuleRepeated:  {"“%s” 写了不止一次", "%q is listed more than once"},
	RuleZone:      {"没有 “%s” 这个时区，应写成 Asia/Shanghai 这样的名字", "no time zone is called %q; write a name such as Asia/Shanghai"},

	RuleCron:      {"开始时间 “%s” 看不懂：应写成 07:30，或 cron 的五项（分 时 日 月 星期），前面可加一项秒", "start %q is not understood: write 07:30, or the five cron fields (minute hour day month weekday), with the seconds before them if wanted"},
	RuleCronField: {"开始时间 “%s” 的%s “%s” 不对，应在 %s 之内", "in start %q the %s %q is not within %s"},
	RuleCronZone:  {"开始时间 “%s” 不能带时区（TZ=），时区写在方案的 zone 里", "start %q must not carry a time zone (TZ=); the programme's zone applies"},
	RuleCronEvery: {"开始时间 “%s” 不能用 @every 之类的写法；每天几点响请写清楚，间隔写在 every 里", "start %q must not use @every or another @ word; write the time of day, and the interval in every"},
	RuleCronDays:  {"开始时间 “%s” 同时限定了日和星期，cron 会当成“或”；请只限定一个", "start %q restricts both the day of the month and the weekday, which cron reads as either; restrict one of them"},
	RuleCronNever: {"开始时间 “%s” 永远不会到（例如 2 月 31 日）", "start %q never comes (31 February, for example)"},
	RuleCronOften: {"开始时间 “%s” 一天有 %s 次，最多 %s 次", "start %q comes %s times a day; at most %s are allowed"},
	RuleCronDates: {"开始时间 “%s” 在方案有效期 %s 至 %s 内一次也没有", "start %q never comes between %s and %s, when the programme is valid"},

	RuleDates:          {"结束日期 %s 早于开始日期 %s", "the last day %s is before the first day %s"},
	RuleNoTargets:      {"没有选对象；写 all: true，或列出 units、groups、tags、points、kinds", "no target is named; write all: true, or list units, groups, tags, points or kinds"},
	RuleAllTargets:     {"写了 all: true 就不要再列 %s；要排除请用 except", "all: true leaves nothing for %s to add; use except to leave points out"},
	RuleNothing:        {"方案里既没有时段也没有静默规则", "the programme has neither slots nor quiet rules"},
	RuleNoWindow:       {"没有写到几点为止；请写 until 或 duration", "the slot does not say when it ends; write until or duration"},
	RuleTwoWindows:     {"until 和 duration 只能写一个", "until and duration exclude each other"},
	RuleUntilStarts:    {"开始时间 “%s” 一天不止一次，不能用 until，请用 duration", "start %q comes more than once a day, so until has no meaning; write duration"},
	RuleUntilBefore:    {"结束时间 %s 不晚于开始时间 %s", "the end %s is not after the start %s"},
	RuleGrace:          {"允许迟到 %s 太长，必须短于间隔 %s", "the grace of %s is too long; it must be shorter than the %s between plays"},
	RuleSelfOverlap:    {"时段从 %s 开始要 %s，但 %s 又开始一次，前后重叠", "the slot that starts at %s lasts %s but starts again at %s"},
	RuleSlotOverlap:    {"与时段 “%s” 重叠：%s 对 %s（%s）；请错开", "overlaps slot %q: %s against %s (%s); move one of them"},
	RuleOverrideDays:   {"%s 不在本时段的 days 里，改了也不会响", "%s is not among the slot's days, so the override has no effect"},
	RuleOverrideTwice:  {"%s 已由前面的 overrides 改过", "%s is already changed by an override above"},
	RuleOverrideEmpty:  {"除了 days 什么也没改", "it changes nothing besides naming days"},
	RuleRuleTimes:      {"请写 all_day: true 或 times，二者选一", "write either all_day: true or times"},
	RuleMiddayReason:   {"小区门口不守午间静默要写 reason（依据）", "switching the midday rest off for gates needs a reason"},
	RuleInsideQuiet:    {"时段 %s 每次都碰到%s，整段免播，永远不会出声；请改时间", "the slot at %s always touches %s and would never sound; move it"},
	RuleReason:         {"时段 %s 落在宜静时段 %s；确需播放请写 reason（理由），否则请改时间", "the slot at %s is in the soft quiet hours %s; give a reason or move it"},
	RuleReasonWeekends: {"时段 %s 在休息日、法定节假日落在宜静时段 %s；请用 overrides 推迟、用 days 去掉这些日子，或写 reason（理由）", "on rest days and holidays the slot at %s is in the soft quiet hours %s; move it with overrides, leave those days out with days, or give a reason"},

	RuleSameProgramme:  {"有两个方案的编号都是 “%s”", "two programmes have the id %q"},
	RuleNoProgramme:    {"方案是空的", "a programme is nil"},
	RuleDeadTarget:     {"%s “%s” 选不到任何广播点；请核对代码，或等点位登记后再加", "%s %q selects no point; check the code, or add it once the points are registered"},
	RuleNoPoint:        {"这些条件合在一起选不到任何广播点", "together these conditions select no point"},
	RuleUnknownClip:    {"素材库里没有 “%s”；请先上传并签发，或改用已有的素材", "no clip is called %q; upload it and have it signed off, or name one that exists"},
	RuleClipTooLong:    {"素材 “%s” 长 %s，比间隔 %s 还长；请拉长 every 或换短一些的素材", "clip %q lasts %s, longer than the %s between plays; lengthen every or take a shorter clip"},
	RuleSoundsIntoNext: {"%s %s 的最后一条要响到 %s，压到 %s", "on %s at %s the last play would sound until %s, into %s"},
	RuleSoundsIntoRule: {"%s %s 的最后一条要响到 %s，压到%s；请把时段提前或换短一些的素材", "on %s at %s the last play would sound until %s, into %s; start earlier or take a shorter clip"},
	RuleBudget:         {"%s 在 %s 等 %s 个点要出声 %s，超过每日上限 %s", "on %s point %s (%s points in all) would sound for %s, over the daily limit of %s"},
	RuleYearUnknown:    {"%s 年的放假安排还没有录入，暂按周一至周五为工作日计算", "the public holidays of %s are not known yet; Monday to Friday count as workdays"},
	RuleHolidayColumns: {"每行要有三列：日期、节日、休或班", "each line has three columns: date, holiday, off or work"},
	RuleHolidayJSON:    {"JSON 写法有误：%s", "invalid JSON: %s"},
	RuleHolidayNone:    {"表里没有日期；放假通知可能还没有公布", "the table has no days; the notice may not be published yet"},
	RuleHolidayYear:    {"%s 不在 %s 年；一个文件只能是一年的放假安排", "%s is not in %s; a file holds the holidays of one year"},
	RuleHolidayWork:    {"%s 不是周六或周日，不能是调休上班；请核对日期", "%s is neither Saturday nor Sunday, so it cannot be worked in exchange; check the date"},
	RulePartlyQuiet:    {"时段 %s 有时碰到%s，那几次整段免播：%s", "the slot at %s sometimes touches %s and is silent then: %s"},
}

// Rules returns every rule code in alphabetical order.
func Rules() []Rule { return slices.Sorted(maps.Keys(ruleTexts)) }
