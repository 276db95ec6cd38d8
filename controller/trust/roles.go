package trust

import (
	"slices"

	"gatecast/internal/seal"
	"gatecast/internal/wire"
)

// Role is what a key speaks for.
type Role string

// The roles, and the CA, which is pinned beside them.
const (
	RootRole     Role = "root"
	LibraryRole  Role = "library"
	DirectorRole Role = "director"
	ReleaseRole  Role = "release"
	CARole       Role = "ca"
)

// Roles is every role, in the order in which they are told.
var Roles = []Role{RootRole, LibraryRole, DirectorRole, ReleaseRole, CARole}

// Valid reports whether r is one of Roles.
func (r Role) Valid() bool { return slices.Contains(Roles, r) }

// keys returns the role's public keys in a root document, and of CAs the hash
// of the certificate.
func (r Role) keys(doc wire.Root) []string {
	switch r {
	case RootRole:
		return doc.RootKeys
	case LibraryRole:
		return doc.LibraryKeys
	case DirectorRole:
		return doc.DirectorKeys
	case ReleaseRole:
		return doc.ReleaseKeys
	}
	var all []string
	for _, der := range doc.CAs {
		all = append(all, seal.Hash(der)[:16])
	}
	return all
}

// keyID shortens a public key to the name that envelopes carry; what is none
// stays as it is.
func keyID(s string) string {
	k, err := seal.ParsePublicKey(s)
	if err != nil {
		return s
	}
	return k.ID()
}

// Thief says in one paragraph what somebody gains who steals a role's key, and
// what to do then. It is for people: Chinese first.
func (r Role) Thief() (zh, en string) {
	t := thieves[r]
	return t[0], t[1]
}

var thieves = map[Role][2]string{
	RootRole: {
		"拿到根密钥的人可以换掉其他所有密钥，再用新密钥让每台设备播放任何内容；设备分不出真假。它平时用不到，所以应当离线保存：纸质备份锁进保险柜，root.key 移出主控。一旦泄露：尽快执行 rotate root，并逐一轮换其他密钥；在设备收到新根之前，窃取者若先到一步，就只能到现场重新入网。",
		"Whoever has the root key can replace every other key and then have each device play anything; a device cannot tell. It is not needed in daily work and belongs offline: the paper in a safe, root.key off the controller. If it leaks: rotate root at once and every other key after it. Where the thief reaches a device before the new root does, only enrolling that device again on site helps.",
	},
	LibraryRole: {
		"拿到素材密钥的人可以批准任意音频、放宽时段和音量上限，但不能让任何设备播放：还要有总控密钥下达计划。默认模式下它就在主控的数据目录里，攻破主控即同时拿到两把；严格模式下它只在签发人的电脑上，攻破主控也放不出一条没有签发过的声音。一旦泄露：执行 rotate library，旧密钥签过的清单在设备换根后一律拒收。",
		"Whoever has the library key can approve any audio and loosen hours and ceilings, but makes no device play: that takes the director's key too. By default it lies in the controller's data folder, so that breaking into the controller gives both; in strict mode it is on the approver's machine alone, and somebody in the controller can still not sound a clip that nobody signed. If it leaks: rotate library; devices with the new root refuse every manifest of the old key.",
	},
	DirectorRole: {
		"拿到总控密钥的人可以改播放计划、发命令、吊销设备、开出记录回执：能让已签发的素材在允许的时段和音量内乱播或不播，也能让设备作废；不能播放没有签发过的声音，不能突破时段和音量上限。一旦泄露：执行 rotate director，计划自动重新签发，旧密钥的计划和命令在设备换根后一律拒收。",
		"Whoever has the director key can change plans, send commands, revoke devices and sign receipts: play approved clips at the wrong times within the allowed hours and volume, or not at all, and put devices out of service. No unapproved sound, no hour or volume beyond the ceilings. If it leaks: rotate director; plans are sealed anew by themselves, and devices with the new root refuse plans and commands of the old key.",
	},
	ReleaseRole: {
		"拿到发布密钥的人可以签出设备程序。本版本的设备还不接受远程更新，它现在什么也做不了；将来有远程更新时，它等于控制每一台设备，所以从今天起就应当离线保存。一旦泄露：执行 rotate release。",
		"Whoever has the release key can sign programs for devices. Devices of this version take no updates over the network, so that it gains nothing yet; once they do, it is control of every device, and so it belongs offline from today. If it leaks: rotate release.",
	},
	CARole: {
		"拿到证书密钥（CA）的人可以冒充主控与设备通信：偷看、丢弃、拖延消息，骗取设备上报；不能冒充设备（设备以自己的密钥登记在册），更不能让设备出声，因为计划和清单另有签名。一旦泄露：执行 rotate ca --now。",
		"Whoever has the CA key can pose as the controller on the wire: read, drop and delay messages and collect what devices report. It cannot pose as a device, since those are registered by keys of their own, and makes nothing sound, since plans and manifests are signed apart. If it leaks: rotate ca --now.",
	},
}
