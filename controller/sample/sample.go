// Package sample is an invented subdistrict, 示例街道, with 6 communities, 2
// villages, 42 gates and 6 village points. The demo loads it and tests stand
// on it. No name in it is a real place's or person's. It is pure data, and the
// two persons who sign off what is uploaded to it.
package sample

import (
	"fmt"
	"time"

	"gatecast/controller/fleet"
)

// Root is the code of the subdistrict.
const Root = "SL"

type place struct {
	name, short string
	head        string
	liaison     string
	phone       fleet.Phone
	property    string
	grids       int
	compounds   []string   // communities only
	points      [][]string // gates of each compound; for a village one list
}

var communities = []place{
	{"松风社区", "松风", "周望舒", "林予安", "13900002207", "青檐物业", 3,
		[]string{"松风苑", "听松里", "云阶台", "半山庭"},
		[][]string{{"南门", "北门"}, {"东门", "西门"}, {"正门", "侧门"}, {"南门", "北门"}}},
	{"望河社区", "望河", "陆听澜", "何知夏", "13800000421", "和屿物业", 3,
		[]string{"望河花园", "河湾里", "汀兰居"},
		[][]string{{"南门", "东门"}, {"北门", "南门"}, {"正门", "车行门"}}},
	{"青禾社区", "青禾", "宋稼禾", "沈砚秋", "13700006630", "知邻物业", 3,
		[]string{"青禾家园", "禾苗里", "麦浪庭", "谷雨里"},
		[][]string{{"一号门", "二号门"}, {"东门", "南门"}, {"正门", "西门"}, {"南门"}}},
	{"晴川社区", "晴川", "江映雪", "许见山", "13600009018", "青檐物业", 4,
		[]string{"晴川府", "帆影里", "星渡湾", "浅汀苑"},
		[][]string{{"南门", "北门", "西门"}, {"东门", "西门"}, {"一号门", "二号门"}, {"南门", "北门"}}},
	{"芳甸社区", "芳甸", "叶疏影", "温如许", "13500003346", "和屿物业", 2,
		[]string{"芳甸苑", "月照里", "流光里"},
		[][]string{{"南门", "北门"}, {"正门"}, {"东门", "南门"}}},
	{"槐序社区", "槐序", "季长夏", "秦晚照", "13400007712", "知邻物业", 3,
		[]string{"槐序家园", "蝉鸣里", "槐下新村", "初夏庭"},
		[][]string{{"东门", "西门"}, {"南门", "北门"}, {"正门", "后门"}, {"南门"}}},
}

var villages = []place{
	{"云岭村", "云岭", "高远山", "石溪亭", "15000005590", "", 3, nil,
		[][]string{{"云岭村委会", "云岭东坡组", "云岭西坡组", "云岭水口组"}}},
	{"鹿鸣村", "鹿鸣", "谷长风", "方怀谷", "15000005594", "", 2, nil,
		[][]string{{"鹿鸣村委会", "鹿鸣溪边组"}}},
}

// Numerals for 第N网格.
var numerals = []string{"零", "一", "二", "三", "四", "五", "六", "七", "八", "九", "十"}

// Registry returns the subdistrict. Points are not installed: nothing is owed
// until a device is bound to one. since dates the liaisons.
func Registry(since time.Time) fleet.Registry {
	var r builder
	r.Units = append(r.Units, fleet.UnitEntry{Unit: fleet.Unit{
		Type: fleet.Subdistrict, Code: Root, Name: "示例街道", ShortName: "示例", Head: "顾清和", Leader: "陈主任",
	}})
	r.Groups = append(r.Groups, fleet.GroupEntry{Unit: Root, Group: fleet.Group{
		Tier: 1, Code: "SL-1-00-00-1", Name: "示例街道反电诈指挥群", Owner: "顾清和", Members: 21,
	}})
	for i, c := range communities {
		r.add(fmt.Sprintf("%s-%02d", Root, i+1), fleet.Community, i+1, c, since)
	}
	for i, v := range villages {
		r.add(fmt.Sprintf("%s-%02d", Root, i+11), fleet.Village, i+11, v, since)
	}
	return r.Registry
}

type builder struct{ fleet.Registry }

// add appends one community or village with all that is below it.
func (r *builder) add(code string, kind fleet.UnitType, order int, p place, since time.Time) {
	r.Units = append(r.Units, fleet.UnitEntry{Parent: Root, Unit: fleet.Unit{
		Type: kind, Code: code, Name: p.name, ShortName: p.short, Head: p.head, Leader: p.head, Order: order,
	}})
	r.Liaisons = append(r.Liaisons, fleet.LiaisonEntry{Unit: code, Liaison: fleet.Liaison{
		Name: p.liaison, Post: "联络员", Phone: p.phone, From: since,
	}})
	r.Groups = append(r.Groups, fleet.GroupEntry{Unit: code, Group: fleet.Group{
		Tier: 2, Code: fmt.Sprintf("SL-2-%02d-00-1", order), Name: "示例街道" + p.short + "反电诈组织群",
		Owner: p.head, Members: 12 + order,
	}})
	for g := 1; g <= p.grids; g++ {
		r.Grids = append(r.Grids, fleet.GridEntry{Unit: code, Grid: fleet.Grid{
			Number: g, Name: "第" + numerals[g] + "网格", Worker: p.short + "网格员" + numerals[g],
		}})
		r.Groups = append(r.Groups, fleet.GroupEntry{Unit: code, Grid: g, Group: fleet.Group{
			Tier: 3, Code: fmt.Sprintf("SL-3-%02d-%02d-1", order, g),
			Name:    "示例街道" + p.name + "（第" + numerals[g] + "网格）反电诈宣传群",
			Owner:   p.short + "网格员" + numerals[g],
			Members: 180 + 37*g + 11*order,
		}})
	}
	n := 0
	for i, gates := range p.points {
		compound, point := "", fleet.Point{Kind: fleet.Horn}
		if kind == fleet.Community {
			compound, point.Kind = p.compounds[i], fleet.Gate
			r.Compounds = append(r.Compounds, fleet.CompoundEntry{Unit: code, Grid: i%p.grids + 1,
				Compound: fleet.Compound{Name: compound, Property: p.property}})
			point.DutyName = p.property + "值班"
		} else {
			point.DutyName = p.liaison
		}
		point.DutyPhone = p.phone
		for _, gate := range gates {
			n++
			point.Code, point.Name = fmt.Sprintf("%s-%02d", code, n), compound+gate
			r.Points = append(r.Points, fleet.PointEntry{Point: point, Unit: code, Compound: compound})
		}
	}
}
