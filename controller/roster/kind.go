package roster

import (
	"strings"

	"gatecast/controller/fleet"
	"gatecast/controller/sheet"
)

// Kind is one roster.
type Kind string

// The rosters, in the order in which they are offered and refer to each other.
const (
	Units     Kind = "units"
	Liaisons  Kind = "liaisons"
	Grids     Kind = "grids"
	Companies Kind = "companies"
	Compounds Kind = "compounds"
	Points    Kind = "points"
	Groups    Kind = "groups"
)

// Kinds is every roster.
var Kinds = []Kind{Units, Liaisons, Grids, Companies, Compounds, Points, Groups}

// Roster returns the description of k; ok is false for none.
func (k Kind) Roster() (r Roster, ok bool) {
	for _, one := range rosters {
		if one.Kind == k {
			return one, true
		}
	}
	return Roster{}, false
}

// Roster describes one kind of table.
type Roster struct {
	Kind    Kind
	ZH, EN  string   // what it is called; ZH names its sheet
	sheets  []string // parts of names of sheets that hold it
	Columns []Column
	entry   func() fleet.Entry
	change  func(e fleet.Entry) fleet.RegistryChange
}

// Column describes a column of a roster.
type Column struct {
	Field   string   // fleet.Field.Name
	ZH, EN  string   // heading
	names   []string // others that it may have
	Must    bool     // of a new entry
	Key     bool     // part of what the entry is known by
	Printed bool     // given out, and left alone when it comes back
	width   int
	form    form
	print   func(fleet.Entry) string // of a Printed column
}

// Names lists what may head the column, the usual word first.
func (c Column) Names() []string { return append([]string{c.ZH, c.EN}, c.names...) }

func (r Roster) heads() (all []sheet.Head) {
	for _, c := range r.Columns {
		all = append(all, sheet.Head{Key: c.Field, Names: c.Names()})
	}
	return all
}

// column returns the column of a field.
func (r Roster) column(field string) (Column, bool) {
	for _, c := range r.Columns {
		if c.Field == field {
			return c, true
		}
	}
	return Column{}, false
}

// field returns the field of an entry by name; the zero Field if there is none.
func field(e fleet.Entry, name string) fleet.Field {
	for _, f := range e.Fields() {
		if f.Name == name {
			return f
		}
	}
	return fleet.Field{}
}

// words that head the same column in many rosters.
var (
	phoneNames = []string{"联系电话", "手机", "手机号", "手机号码", "联系方式", "电话号码", "办公电话", "联系人电话", "tel", "telephone", "mobile"}
	unitNames  = []string{"单位", "所属单位", "社区", "所属社区", "社区/村", "社区村", "所在社区", "单位名称", "单位编号", "部门", "unit code"}
	countNames = []string{"总户数", "住户数", "居民户数", "户"}
	noteNames  = []string{"说明事项", "remark", "remarks"}
)

var unitTypes = choice{
	values: texts(fleet.UnitTypes),
	words:  [][]string{{"街道", "办事处", "街道办事处"}, {"社区", "居委会"}, {"村", "行政村", "村委会"}, {"科室", "办", "科", "室", "办公室"}, {"所"}, {"站"}, {"校", "学校"}, {"院", "医院"}, {"企事业单位", "企业", "事业单位"}},
}

func texts[T ~string](all []T) (out []string) {
	for _, t := range all {
		out = append(out, string(t))
	}
	return out
}

var rosters = []Roster{
	{
		Kind: Units, ZH: "单位", EN: "Units", sheets: []string{"单位", "unit"},
		entry:  func() fleet.Entry { return &fleet.UnitEntry{} },
		change: func(e fleet.Entry) fleet.RegistryChange { return fleet.RegistryChange{Unit: e.(*fleet.UnitEntry)} },
		Columns: []Column{
			{Field: "code", ZH: "单位编号", EN: "Code", names: []string{"编号", "单位代码", "代码"}, Must: true, Key: true, width: 12, form: code{}},
			{Field: "name", ZH: "全称", EN: "Name", names: []string{"单位全称", "单位名称", "名称", "单位", "full name"}, Must: true, width: 24, form: words{}},
			{Field: "short", ZH: "简称", EN: "Short name", names: []string{"单位简称", "群名用简称"}, width: 12, form: words{}},
			{Field: "type", ZH: "类型", EN: "Type", names: []string{"单位类型", "类别", "性质"}, Must: true, width: 12, form: unitTypes},
			{Field: "parent", ZH: "上级单位", EN: "Parent", names: []string{"上级", "所属街道", "主管单位", "上级编号"}, width: 20, form: unitRef{}},
			{Field: "region", ZH: "区划代码", EN: "Region code", names: []string{"行政区划代码", "区划码", "行政区划"}, width: 16, form: code{}},
			{Field: "head", ZH: "第一责任人", EN: "Head", names: []string{"负责人", "主要负责人", "一把手", "责任人"}, width: 12, form: words{}},
			{Field: "leader", ZH: "主管领导", EN: "Leader in charge", names: []string{"分管领导", "分管负责人", "leader"}, width: 12, form: words{}},
			{Field: "aliases", ZH: "别名", EN: "Aliases", names: []string{"其他名称", "曾用名"}, width: 20, form: list{}},
			{Field: "hats", ZH: "挂牌", EN: "Other offices", names: []string{"挂牌机构"}, width: 20, form: list{}},
			{Field: "state", ZH: "状态", EN: "State", width: 10, form: choice{values: []string{string(fleet.UnitListed), string(fleet.UnitMerged)}, words: [][]string{{"在册"}, {"撤并", "已撤并"}}}},
			{Field: "successor", ZH: "并入单位", EN: "Successor", names: []string{"并入"}, width: 20, form: unitRef{}},
			{Field: "order", ZH: "序号", EN: "Order", names: []string{"排序", "顺序", "社区序", "no"}, width: 8, form: count{}},
		},
	},
	{
		Kind: Liaisons, ZH: "联络员", EN: "Liaisons", sheets: []string{"联络员", "liaison"},
		entry: func() fleet.Entry { return &fleet.LiaisonEntry{} },
		change: func(e fleet.Entry) fleet.RegistryChange {
			return fleet.RegistryChange{Liaison: e.(*fleet.LiaisonEntry)}
		},
		Columns: []Column{
			{Field: "unit", ZH: "所属单位", EN: "Unit", names: unitNames, Must: true, Key: true, width: 24, form: unitRef{}},
			{Field: "name", ZH: "姓名", EN: "Name", names: []string{"联络员", "联络员姓名", "联系人"}, Must: true, Key: true, width: 12, form: words{}},
			{Field: "post", ZH: "职务", EN: "Post", names: []string{"岗位", "职位", "职务/岗位"}, width: 16, form: words{}},
			{Field: "phone", ZH: "电话", EN: "Phone", names: phoneNames, width: 16, form: phone{}},
			{Field: "from", ZH: "任职日期", EN: "From", names: []string{"起始日期", "开始日期", "起", "任职时间", "到岗日期"}, width: 14, form: date{}},
			{Field: "to", ZH: "离任日期", EN: "To", names: []string{"结束日期", "止", "离任时间", "离岗日期"}, width: 14, form: date{last: true}},
		},
	},
	{
		Kind: Grids, ZH: "网格", EN: "Grids", sheets: []string{"网格", "grid"},
		entry:  func() fleet.Entry { return &fleet.GridEntry{} },
		change: func(e fleet.Entry) fleet.RegistryChange { return fleet.RegistryChange{Grid: e.(*fleet.GridEntry)} },
		Columns: []Column{
			{Field: "unit", ZH: "所属单位", EN: "Unit", names: unitNames, Must: true, Key: true, width: 24, form: unitRef{}},
			{Field: "number", ZH: "网格序号", EN: "Number", names: []string{"网格号", "网格编号", "序号", "网格", "grid"}, Must: true, Key: true, width: 10, form: gridNumber{}},
			{Field: "name", ZH: "网格名称", EN: "Name", names: []string{"名称"}, width: 16, form: words{}},
			{Field: "worker", ZH: "网格员", EN: "Grid worker", names: []string{"网格员姓名", "网格长", "worker"}, width: 12, form: words{}},
			{Field: "households", ZH: "户数", EN: "Households", names: countNames, width: 10, form: count{}},
			{Field: "population", ZH: "人口", EN: "Population", names: []string{"人口数", "人数", "居民数"}, width: 10, form: count{}},
		},
	},
	{
		Kind: Companies, ZH: "物业公司", EN: "Property companies", sheets: []string{"物业", "propert", "compan"},
		entry: func() fleet.Entry { return &fleet.CompanyEntry{} },
		change: func(e fleet.Entry) fleet.RegistryChange {
			return fleet.RegistryChange{Company: e.(*fleet.CompanyEntry)}
		},
		Columns: []Column{
			{Field: "name", ZH: "公司名称", EN: "Name", names: []string{"物业公司", "物业", "物业名称", "名称", "物业公司名称"}, Must: true, Key: true, width: 24, form: words{}},
			{Field: "contact", ZH: "联系人", EN: "Contact", names: []string{"负责人", "项目经理"}, width: 12, form: words{}},
			{Field: "phone", ZH: "电话", EN: "Phone", names: phoneNames, width: 16, form: phone{}},
			{Field: "note", ZH: "备注", EN: "Note", names: noteNames, width: 24, form: words{}},
		},
	},
	{
		Kind: Compounds, ZH: "小区", EN: "Compounds", sheets: []string{"小区", "compound"},
		entry: func() fleet.Entry { return &fleet.CompoundEntry{} },
		change: func(e fleet.Entry) fleet.RegistryChange {
			return fleet.RegistryChange{Compound: e.(*fleet.CompoundEntry)}
		},
		Columns: []Column{
			{Field: "unit", ZH: "所属单位", EN: "Unit", names: unitNames, Must: true, Key: true, width: 24, form: unitRef{}},
			{Field: "name", ZH: "小区名称", EN: "Name", names: []string{"小区", "小区名", "名称"}, Must: true, Key: true, width: 20, form: words{}},
			{Field: "grid", ZH: "网格", EN: "Grid", names: []string{"所属网格", "网格序号", "网格号"}, width: 10, form: gridNumber{}},
			{Field: "property", ZH: "物业公司", EN: "Property company", names: []string{"物业", "物业名称"}, width: 24, form: words{}},
			{Field: "households", ZH: "户数", EN: "Households", names: countNames, width: 10, form: count{}},
		},
	},
	{
		Kind: Points, ZH: "点位", EN: "Points", sheets: []string{"点位", "广播点", "point"},
		entry:  func() fleet.Entry { return &fleet.PointEntry{} },
		change: func(e fleet.Entry) fleet.RegistryChange { return fleet.RegistryChange{Point: e.(*fleet.PointEntry)} },
		Columns: []Column{
			{Field: "code", ZH: "点位编号", EN: "Code", names: []string{"编号", "点位代码"}, Must: true, Key: true, width: 12, form: code{}},
			{Field: "name", ZH: "点位名称", EN: "Name", names: []string{"名称", "点位", "大门", "门名"}, Must: true, width: 24, form: words{}},
			{Field: "kind", ZH: "点位类型", EN: "Kind", names: []string{"类型", "类别"}, Must: true, width: 12, form: choice{values: texts(fleet.PointKinds), words: [][]string{{"小区门口", "小区大门", "小区"}, {"村广播", "村喇叭", "大喇叭"}, {"单位广播", "室内"}}}},
			{Field: "unit", ZH: "所属单位", EN: "Unit", names: unitNames, Must: true, width: 24, form: unitRef{}},
			{Field: "compound", ZH: "小区", EN: "Compound", names: []string{"小区名称", "所属小区", "小区名"}, width: 20, form: words{}},
			{Field: "place", ZH: "安装位置", EN: "Place", names: []string{"位置", "地址", "安装地点"}, width: 24, form: words{}},
			{Field: "tags", ZH: "标签", EN: "Tags", width: 16, form: list{}},
			{Field: "duty", ZH: "现场联系人", EN: "Contact", names: []string{"联系人", "责任人", "管理员"}, width: 12, form: words{}},
			{Field: "phone", ZH: "电话", EN: "Phone", names: phoneNames, width: 16, form: phone{}},
			{Field: "approval", ZH: "批准文件", EN: "Approval document", names: []string{"批准文号", "文号", "审批文件"}, width: 20, form: words{}},
			{Field: "cap", ZH: "音量上限", EN: "Volume ceiling", names: []string{"音量", "volume"}, width: 10, form: count{}},
			{Field: "class", ZH: "声环境类别", EN: "Noise class", names: []string{"声环境功能区类别", "声功能区"}, width: 12, form: choice{values: []string{"1", "2"}, words: [][]string{{"1类", "1"}, {"2类", "2"}}}},
		},
	},
	{
		Kind: Groups, ZH: "微信群", EN: "Groups", sheets: []string{"群", "group"},
		entry:  func() fleet.Entry { return &fleet.GroupEntry{} },
		change: func(e fleet.Entry) fleet.RegistryChange { return fleet.RegistryChange{Group: e.(*fleet.GroupEntry)} },
		Columns: []Column{
			{Field: "code", ZH: "群编号", EN: "Code", names: []string{"编号", "统一编号"}, Key: true, width: 18, form: code{}},
			{Field: "tier", ZH: "级别", EN: "Tier", names: []string{"群级别", "层级", "等级"}, Must: true, width: 10, form: choice{values: []string{"1", "2", "3"}, words: [][]string{{"一级", "1级", "指挥群", "指挥", "1"}, {"二级", "2级", "组织群", "组织", "2"}, {"三级", "3级", "宣传群", "宣传", "3"}}}},
			{Field: "name", ZH: "群名", EN: "Name", names: []string{"群名称", "微信群名", "微信群名称", "名称", "现群名"}, width: 40, form: words{}},
			{Field: "unit", ZH: "所属单位", EN: "Unit", names: unitNames, Must: true, width: 24, form: unitRef{}},
			{Field: "grid", ZH: "网格", EN: "Grid", names: []string{"所属网格", "网格序号", "网格号"}, width: 10, form: gridNumber{}},
			{Field: "owner", ZH: "群主", EN: "Owner", names: []string{"群主姓名"}, width: 12, form: words{}},
			{Field: "post", ZH: "职务", EN: "Post", names: []string{"群主职务"}, width: 14, form: words{}},
			{Field: "phone", ZH: "联系方式", EN: "Phone", names: append([]string{"电话", "群主电话"}, phoneNames...), width: 16, form: phone{}},
			{Field: "admins", ZH: "管理员", EN: "Administrators", names: []string{"群管理员"}, width: 20, form: list{}},
			{Field: "members", ZH: "人数", EN: "Members", names: []string{"群人数", "成员数", "群成员数"}, width: 10, form: count{}},
			{Field: "households", ZH: "户数", EN: "Households", names: append([]string{"应进群户数"}, countNames...), width: 10, form: count{}},
			{Field: "joined", ZH: "已进群户数", EN: "Joined households", names: []string{"进群户数", "已入群户数"}, width: 12, form: count{}},
			{Field: "created", ZH: "建群时间", EN: "Created", names: []string{"建群日期", "成立时间"}, width: 14, form: date{day: true}},
			{Field: "platform", ZH: "平台", EN: "Platform", width: 10, form: choice{values: fleet.GroupPlatforms, words: [][]string{{"微信"}, {"企业微信"}, {"钉钉"}, {"飞书"}, {"其他"}}}},
			{Field: "state", ZH: "状态", EN: "State", width: 10, form: choice{values: texts(fleet.GroupStates), words: [][]string{{"拟建"}, {"已建", "在用"}, {"更名", "已更名"}, {"并入", "已并入"}, {"解散", "已解散"}}}},
			{Field: "former", ZH: "曾用名", EN: "Former names", names: []string{"原群名"}, width: 24, Printed: true, print: func(e fleet.Entry) string { return strings.Join(e.(*fleet.GroupEntry).Former, "、") }},
		},
	},
}
