package fleet

import "testing"

func TestCheckRegion(t *testing.T) {
	tests := []struct {
		name           string
		region, parent string
		kind           UnitType
		refused, warns bool
	}{
		{"empty", "", "", Community, false, false},
		{"subdistrict", "340103001000", "", Subdistrict, false, false},
		{"town", "340103100000", "", Subdistrict, false, false},
		{"community", "340103001001", "340103001000", Community, false, false},
		{"village", "340103100201", "340103100000", Village, false, false},
		{"office_of_the_subdistrict", "340103001000", "340103001000", Office, false, false},
		{"short", "34010300100", "", Community, true, false},
		{"long", "3401030010011", "", Community, true, false},
		{"letters", "34010300100a", "", Community, true, false},
		{"full_width", "３４０１０３００１００１", "", Community, true, false},
		{"no_such_province", "990103001001", "", Community, true, false},
		{"city_missing_above_a_community", "340003001001", "", Community, true, false},
		{"county_missing", "340100001001", "", Community, true, false},
		{"town_missing", "340103000001", "", Community, true, false},
		{"city_missing", "340003000000", "", Office, true, false},
		{"community_as_subdistrict", "340103001001", "", Subdistrict, true, false},
		{"subdistrict_as_community", "340103001000", "", Community, true, false},
		{"community_with_number_of_a_village", "340103001201", "", Community, false, true},
		{"village_with_number_of_a_community", "340103001001", "", Village, false, true},
		{"below_another_subdistrict", "340103002001", "340103001000", Community, false, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err, warn := CheckRegion(tt.region, tt.kind, tt.parent)
			if (err != nil) != tt.refused || (warn != nil) != tt.warns {
				t.Errorf("CheckRegion(%q, %s, %q) = %v, %v, want refused %v, warned %v", tt.region, tt.kind, tt.parent, err, warn, tt.refused, tt.warns)
			}
		})
	}
}

func FuzzCheckRegion(f *testing.F) {
	f.Add("340103001001", "340103001000")
	f.Fuzz(func(t *testing.T, region, parent string) {
		if err, _ := CheckRegion(region, Community, parent); err == nil && region != "" && len(region) != 12 {
			t.Errorf("CheckRegion(%q) took it", region)
		}
	})
}
