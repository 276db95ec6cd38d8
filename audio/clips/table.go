package clips

import "time"

// The people clips are for.
const (
	adults   = "20–50岁"
	students = "学生/家长"
	everyone = "通用"
	elderly  = "老年"
)

var table = [...]Clip{
	{
		Name: "shuadan", Title: "刷单返利", ScamType: "刷单返利", Audience: []string{adults, students},
		DisplayText: "各位居民请注意：先给几块钱甜头，再让您垫钱做任务，这就是刷单骗局。凡是要先充值、先垫付才给报酬的兼职，都是诈骗。陌生链接不点，陌生群不进，拿不准就打反诈专线96110。",
		SpokenText:  "各位居民请注意：先给几块钱甜头，再让您垫钱做任务，这就是刷单骗局。凡是要先充值、先垫付才给报酬的兼职，都是诈骗。陌生链接不点，陌生群不进，拿不准就打反诈专线九六幺幺零。",
		Duration:    27_220 * time.Millisecond, LUFS: -21.9,
	},
	{
		Name: "licai", Title: "虚假投资理财", ScamType: "虚假投资理财", Audience: []string{adults},
		DisplayText: "上班的朋友请留意：群里老师带您炒股炒币，天天晒收益，还说有内部消息，多半是骗子。应用商店里找不到的投资软件不要装，提不出来的钱不算钱。拿不准，先打96110问一问。",
		SpokenText:  "上班的朋友请留意：群里老师带您炒股炒币，天天晒收益，还说有内部消息，多半是骗子。应用商店里找不到的投资软件不要装，提不出来的钱不算钱。拿不准，先打九六幺幺零问一问。",
		Duration:    25_051 * time.Millisecond, LUFS: -21.8,
	},
	{
		Name: "kefu", Title: "冒充客服退款", ScamType: "冒充客服", Audience: []string{adults},
		DisplayText: "接到客服电话，说您开通了会员要扣费，或者快递丢了要退款，请先挂断，再到官方平台自己查。凡是让您打开屏幕共享、念验证码、往安全账户转钱的，都是诈骗。",
		SpokenText:  "接到客服电话，说您开通了会员要扣费，或者快递丢了要退款，请先挂断，再到官方平台自己查。凡是让您打开屏幕共享、念验证码、往安全账户转钱的，都是诈骗。",
		Duration:    23_484 * time.Millisecond, LUFS: -21.5,
	},
	{
		Name: "daikuan", Title: "虚假贷款、征信", ScamType: "虚假贷款", Audience: []string{adults},
		DisplayText: "急用钱的朋友请听好：放款之前先收手续费、保证金、解冻费的，全是诈骗。征信不能花钱修改，注销账户的电话也不要信。借钱请到正规网点，密码不要告诉任何人。",
		SpokenText:  "急用钱的朋友请听好：放款之前先收手续费、保证金、解冻费的，全是诈骗。征信不能花钱修改，注销账户的电话也不要信。借钱请到正规网点，密码不要告诉任何人。",
		Duration:    24_216 * time.Millisecond, LUFS: -22.1,
	},
	{
		Name: "liangka", Title: "两卡", ScamType: "两卡", Audience: []string{students, adults},
		DisplayText: "年轻朋友请记住：电话卡、支付账户不能出租，不能出借，不能出卖。帮人转钱取钱、架设电话设备，看着轻松，其实是给骗子当帮凶，要负法律责任。有人收卡，请马上报警。",
		SpokenText:  "年轻朋友请记住：电话卡、支付账户不能出租，不能出借，不能出卖。帮人转钱取钱、架设电话设备，看着轻松，其实是给骗子当帮凶，要负法律责任。有人收卡，请马上报警。",
		Duration:    25_365 * time.Millisecond, LUFS: -22.2,
	},
	{
		Name: "gongjianfa", Title: "冒充公检法、拟声换脸", ScamType: "冒充公检法", Audience: []string{everyone},
		DisplayText: "警察不会在电话里办案，也不会让您转钱证明清白，世上没有安全账户。领导、亲友在网上急着借钱，先打电话，再见本人。如今声音和画面也能作假，多问一句，少亏一笔。",
		SpokenText:  "警察不会在电话里办案，也不会让您转钱证明清白，世上没有安全账户。领导、亲友在网上急着借钱，先打电话，再见本人。如今声音和画面也能作假，多问一句，少亏一笔。",
		Duration:    24_947 * time.Millisecond, LUFS: -22.1,
	},
	{
		Name: "laonian", Title: "老年人防骗（通俗）", ScamType: "养老/保健", Audience: []string{elderly},
		DisplayText: "叔叔阿姨，有人打电话说您中了奖、能领补贴，或者说孩子出了事急用钱，您先别慌，也别转钱。密码不告诉人，验证码不念给人听。先问问孩子，或者到社区找我们，问一问，不花钱。",
		SpokenText:  "叔叔阿姨，有人打电话说您中了奖、能领补贴，或者说孩子出了事急用钱，您先别慌，也别转钱。密码不告诉人，验证码不念给人听。先问问孩子，或者到社区找我们，问一问，不花钱。",
		Duration:    25_313 * time.Millisecond, LUFS: -22.0,
	},
}
