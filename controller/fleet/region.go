package fleet

import (
	"fmt"
	"strings"
)

// provinces are the first two digits of the codes of GB/T 2260.
const provinces = " 11 12 13 14 15 21 22 23 31 32 33 34 35 36 37 41 42 43 44 45 46 50 51 52 53 54 61 62 63 64 65 71 81 82 "

// CheckRegion checks a 区划代码 of 12 digits: province, city and county (two
// digits each), town and village (three each). err says why it cannot be one;
// warn what is unusual in it for a unit of type t below one with the code
// parent. Both are nil for the empty code, and parent may be empty. Codes of
// towns are 001–099 for 街道, 100–199 for 镇, 200–399 for 乡; those of villages
// 001–199 for 居委会 and from 200 on for 村委会.
func CheckRegion(region string, t UnitType, parent string) (err, warn *Error) {
	refuse := func(zh, en string, args ...any) *Error {
		return &Error{Code: Invalid, Text: fmt.Sprintf(zh, args...), TextEN: fmt.Sprintf(en, args...)}
	}
	if region == "" {
		return nil, nil
	}
	digits := strings.Trim(region, "0123456789") == ""
	switch {
	case !digits || len(region) != 12:
		return refuse("区划代码 %q 应是 12 位数字：省市县各 2 位，乡镇街道 3 位，村居 3 位。", "Region code %q should have 12 digits: two each for province, city and county, three each for town and village.", region), nil
	case !strings.Contains(provinces, " "+region[:2]+" "):
		return refuse("区划代码 %q 的前两位不是省级代码。", "The first two digits of region code %q are no province.", region), nil
	case region[2:4] == "00" && region[4:] != "00000000", region[4:6] == "00" && region[6:] != "000000", region[6:9] == "000" && region[9:] != "000":
		return refuse("区划代码 %q 中间有一级是 0，下级却不是。", "Region code %q has a level of zeros above one that is not.", region), nil
	}
	town, village := region[6:9], region[9:]
	switch {
	case t == Subdistrict && (town == "000" || village != "000"):
		return refuse("街道的区划代码 %q 应有乡镇街道一级，最后 3 位是 000。", "Region code %q of a subdistrict should name a town and end in 000.", region), nil
	case (t == Community || t == Village) && village == "000":
		return refuse("社区、村的区划代码 %q 最后 3 位不能是 000。", "Region code %q of a community or village should not end in 000.", region), nil
	case t == Community && village >= "200":
		return nil, refuse("区划代码 %q 的最后 3 位通常是 001–199（居委会），请核对。", "The last three digits of region code %q are usually 001–199 for a community: check it.", region)
	case t == Village && village < "200":
		return nil, refuse("区划代码 %q 的最后 3 位通常从 200 起（村委会），请核对。", "The last three digits of region code %q usually begin at 200 for a village: check it.", region)
	case len(parent) == 12 && strings.TrimRight(parent, "0") != "" && !below(region, parent):
		return nil, refuse("区划代码 %q 不在上级 %q 之下，请核对。", "Region code %q is not below that of the parent, %q: check it.", region, parent)
	}
	return nil, nil
}

// below reports whether region is parent's or one under it.
func below(region, parent string) bool {
	for _, end := range []int{2, 4, 6, 9, 12} {
		if strings.Trim(parent[end:], "0") == "" {
			return region[:end] == parent[:end]
		}
	}
	return region == parent
}
