// Package schedules computes what is owed: which slots a programme puts at
// which point, on which dates, at which instants, and what is silenced by
// which rule.
//
// It is pure: no clock, no logger, no goroutine, and no I/O but for the lookup
// of a time zone in the zone database (a binary that imports time/tzdata
// carries its own). The controller and the tools compute with the same code;
// devices receive the result materialised. Values are safe for concurrent
// reading; a Compiler is safe for concurrent use.
//
// # Programmes
//
// A programme is one YAML file in UTF-8, at most 1 MiB. It is read strictly: an
// unknown or repeated key, a missing value, a wrong type or a broken rule is an
// error, and Parse reports all of them with file, line, key and rule, in
// Chinese and in English. YAML anchors, aliases and merge keys are refused.
//
//	id: daily                    # lower-case letters, digits and hyphens, at most 40
//	name: 小区日常                # at most 60 characters
//	zone: Asia/Shanghai          # IANA name; every time below is local to it
//	from: 2026-01-01             # first and last day, both included; optional
//	to: 2026-12-31
//	daily_budget: 30m            # sounding per point and day; default 30m, at most 90m
//	demo: false                  # see below
//	targets: {kinds: [gate], except: {tags: [施工停用]}}
//	slots:
//	  - key: morning             # unique in the programme; part of the slot's id for ever
//	    name: 早                 # at most 20 characters
//	    start: "30 7 * * *"
//	    until: "08:00"
//	    every: 5m
//	    max_plays: 6
//	    playlist: [shuadan, kefu]
//	    overrides:
//	      - {days: [rest_day, holiday], start: "30 8 * * *", until: "09:00"}
//
// # Slots
//
// start is a time of day, "07:30", or a cron expression of five fields (minute,
// hour, day of the month, month, weekday 0-6 or SUN-SAT), or of six with the
// seconds before them. A field is *, a number or name, a range 1-5, a step */10
// or 10-50/10, or a list of these; ? may stand for * in the two day fields.
// Refused are time zones (TZ=), @every and all other @ words, restricting both
// the day of the month and the weekday, dates that never come such as 31
// February, and more than 1,440 starts a day.
//
// until (a time after start on the same day, for a start that comes once a day)
// or duration (5s to 12h) says how long the slot lasts: one of the two. Play k,
// counted from 0, is due at start + k×every; there are as many plays as begin
// before the end, at most max_plays. every is 5m by default and 1m at least;
// max_plays is 6 by default, 60 at most. Several clips in playlist take turns. A
// clip is named by its name in the library (letters, digits, - and _) or by its
// sha256 in 64 hex digits. gain_db, from -40 to 0, lowers the slot. grace says
// how late a play may still begin: 1m by default or half of every or of the slot
// if that is shorter; it must be shorter than every.
//
// days lists the day types on which the slot is owed; without it, all:
//
//	workday          工作日     Monday to Friday, unless the holiday table says otherwise
//	rest_day         休息日     Saturday and Sunday likewise
//	holiday          法定节假日  every day that the table has as off, weekends in it too
//	make_up_workday  调休上班    weekend days worked in exchange
//
// The Chinese words may be written as well. A year that the calendar lacks goes
// by the day of the week; Slot.Assumed and Compiler.Warnings say so. overrides
// change start, until or duration, every, max_plays, playlist, gain_db, grace or
// reason on some day types. The slot stays one slot with one key: whichever
// window applies, one obligation a day.
//
// A slot's targets, optional, narrow the programme's.
//
// The id of a slot is "<date>.<programme>.<key>". Where cron starts a slot
// several times a day, the second has ".2" after it, the third ".3", and so on in
// the order of the wall clock.
//
// # Targets
//
// units (a unit and everything below it), groups, tags, kinds (gate, village,
// indoor) and points list codes of the registry. Units, groups, tags and kinds
// narrow each other: a point has to be named by each list that is there. points
// adds points by code, whatever the other lists say. all: true is every point.
// except has the same five lists; a point that any of them names is out.
// Programme.CheckTargets reports what selects no point.
//
// # Quiet rules
//
// A slot that shares any moment with a quiet rule is silenced as a whole, 免播,
// and names the rule: the first that holds of
//
//	night   22:00–06:00, always
//	midday  12:00–14:00, see quiet.midday
//	dated rules, in the order of their ids
//
//	quiet:
//	  midday:
//	    until: "14:30"           # 14:00 by default, 15:00 at most
//	    off_for: [village]       # kinds without midday rest; gate needs a reason as well
//	    reason: 示例批复
//	  dated:
//	    - id: gaokao
//	      name: 高考
//	      from: 2026-06-07       # first and last day, at most 400 days
//	      to: 2026-06-10
//	      all_day: true          # or times: ["12:00-14:30", "21:30-07:00"]
//	      gain_db: -6            # 限音: slots sound this much lower; silent when left out
//	      document: 示例文号〔2026〕9号   # 文号 or link, required
//	      targets: {tags: [考点周边]}     # all points when left out
//
// Times that pass midnight belong to the day on which they begin. midday concerns
// the slots of its own programme; a dated rule silences every programme at the
// points it selects, so a file may hold nothing but dated rules (it needs no
// targets then).
//
// A slot whose every start would be silenced by night or midday rest is refused
// by Parse; if only some are, Programme.Warnings names them. Soft quiet hours,
// 06:00–07:00 and 20:30–22:00 and on rest days and holidays 06:00–08:30, are
// allowed to slots that give a reason.
//
// # Demo
//
// demo: true exempts a programme from every quiet rule, the dated ones of other
// programmes included, from reasons and from the daily budget, and allows every
// down to 5s, so that a demonstration sounds at any hour. A controller refuses
// such a programme unless it runs in demo mode.
//
// # Changes of the clock
//
// A start that the clock skips in spring happens at the first valid instant after
// the gap; a start that the clock shows twice in autumn happens once, at the
// first. Two starts of a slot that fall on one instant that way are one, and a
// start whose first valid instant is on another day does not happen. A slot
// lasts equally long on every day. Quiet rules end at the later of two readings.
//
// # Overlaps
//
// Plays never overlap at a point. Within a programme, slots that certainly
// overlap are an error of Parse. Otherwise the slot that begins later is silenced
// by rule "overlap" (of two that begin together, the one whose programme id, then
// key, comes later in the alphabet), and Compiler.Conflicts names both for the
// office to resolve. Compiler.CheckSound adds what depends on the lengths of
// clips: too long for their interval, sounding into quiet hours or the next slot,
// over the daily budget.
package schedules
