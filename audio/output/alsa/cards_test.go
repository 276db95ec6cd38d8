package alsa

import "testing"

func TestParseAddressReadsDeviceNames(t *testing.T) {
	tests := map[string]struct {
		plugin, card string
		device       int
		ok           bool
	}{
		"hw:CARD=Device,DEV=0":    {"hw", "Device", 0, true},
		"hw:Device":               {"hw", "Device", 0, true},
		"hw:0":                    {"hw", "0", 0, true},
		"hw:1,3":                  {"hw", "1", 3, true},
		"plughw:CARD=vc4-hdmi":    {"plughw", "vc4-hdmi", 0, true},
		"sysdefault:CARD=Device":  {"sysdefault", "Device", 0, true},
		"default:CARD=Headphones": {"default", "Headphones", 0, true},
		"default":                 {},
		"hw:":                     {},
		"hw:a b":                  {},
		"hw:0,999":                {},
		"dmix:0":                  {},
		"":                        {},
	}
	for name, tt := range tests {
		plugin, card, device, err := ParseAddress(name)
		if (err == nil) != tt.ok || plugin != tt.plugin || card != tt.card || device != tt.device {
			t.Errorf("ParseAddress(%q) = %q, %q, %d, %v; want %+v", name, plugin, card, device, err, tt)
		}
	}
}

func TestAddressParsesBack(t *testing.T) {
	c := Card{ID: "Device_1"}
	plugin, card, device, err := ParseAddress(c.Address(2))
	if plugin != "hw" || card != c.ID || device != 2 || err != nil {
		t.Errorf("ParseAddress(%q) = %q, %q, %d, %v", c.Address(2), plugin, card, device, err)
	}
}

func FuzzParseAddress(f *testing.F) {
	f.Add("hw:CARD=Device,DEV=0")
	f.Add("plughw:1,0")
	f.Fuzz(func(t *testing.T, name string) {
		if _, card, device, err := ParseAddress(name); err == nil && (card == "" || device < 0 || device > 99) {
			t.Errorf("ParseAddress(%q) = %q, %d", name, card, device)
		}
	})
}
