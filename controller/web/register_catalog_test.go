package web

import (
	"gatecast/controller/fleet"
)

// registerFamilies adds the texts that the pages of the registry put together.
func registerFamilies(f map[string][]string) {
	texts := func(prefix string, inputs []regInput, hints ...string) {
		for _, in := range inputs {
			f[prefix] = append(f[prefix], in.name)
		}
		for _, h := range hints {
			f[prefix] = append(f[prefix], h+".hint")
		}
	}
	l := &lang{}
	texts("reg.unit.", unitInputs(l, nil, &fleet.UnitEntry{}, true), "code", "region", "aliases")
	texts("reg.liaison.", liaisonInputs, "phone")
	texts("reg.grid.", gridInputs)
	texts("reg.compound.", compoundInputs(nil), "property")
	texts("reg.company.", companyInputs, "phone")
	texts("reg.point.", pointInputs(l, nil, &fleet.PointEntry{}, true), "code", "tags", "phone", "approval", "cap")
	f["reg.point.class."] = []string{"none", "1", "2"}
	for _, t := range fleet.UnitTypes {
		f["unit.type."] = append(f["unit.type."], string(t))
	}
	for _, t := range fleet.Lacks {
		f["lack."] = append(f["lack."], string(t))
	}
	for _, t := range fleet.PointStages {
		f["stage."] = append(f["stage."], string(t))
	}
	f["unitchange."], f["unitchange.kind."] = []string{"move", "merge", "split"}, []string{"move", "merge", "split"}
	f["calibration.method."], f["calibration.warn."] = []string{fleet.ByMeter, fleet.ByApp}, []string{string(fleet.WarnRise), string(fleet.WarnLoud), string(fleet.WarnApp)}
	f["done."] = append(f["done."], "saved", "preset", "left", "unit_change", "unit_cancelled")
}
