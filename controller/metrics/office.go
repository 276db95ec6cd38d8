package metrics

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"

	"gatecast/controller/fleet"
)

// office reads what stands in tables.
type office struct{ b *Board }

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("gatecast_"+name, help, labels, nil)
}

var (
	info       = desc("info", "1, with the version.", "version")
	trouble    = desc("store_trouble", "1 while the disk takes no changes.")
	points     = desc("fleet_points", "Points of the register.")
	devices    = desc("fleet_devices", "Devices, by state.", "state")
	online     = desc("fleet_devices_online", "Active devices that are connected.")
	behind     = desc("fleet_devices_behind", "Active devices without the plan or a clip that they should have.")
	faulty     = desc("fleet_devices_faulty", "Active devices that report a fault, by the worst severity.", "severity")
	incidents  = desc("incidents_open", "Security incidents that nobody ticked off.")
	letters    = desc("robot_messages", "Messages to robots and webhooks, by platform and state.", "platform", "state")
	messages   = desc("ingest_messages_total", "Messages of devices since the start.")
	refused    = desc("ingest_refused_total", "Messages of devices that were not taken.")
	records    = desc("ingest_records_total", "Records in them, repeated ones included.")
	fresh      = desc("ingest_records_new_total", "Records that were new and are on the disk.")
	acks       = desc("ingest_acks_total", "Acknowledgements sent.")
	everything = []*prometheus.Desc{info, trouble, points, devices, online, behind, faulty, incidents, letters, messages, refused, records, fresh, acks}
)

// Describe implements prometheus.Collector.
func (o office) Describe(c chan<- *prometheus.Desc) {
	for _, d := range everything {
		c <- d
	}
}

// Collect implements prometheus.Collector. What cannot be read is left out and
// logged: the other figures are worth having then more than ever.
func (o office) Collect(c chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTime)
	defer cancel()
	gauge := func(d *prometheus.Desc, v int, labels ...string) {
		c <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(v), labels...)
	}
	count := func(d *prometheus.Desc, v int64) {
		c <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v))
	}
	failed := func(what string, err error) bool {
		if err != nil {
			o.b.o.Logger.Error("reading figures", "what", what, "err", err)
		}
		return err != nil
	}
	s := o.b.o.Store
	gauge(info, 1, o.b.o.Version)
	bad := 0
	if s.Trouble() != nil {
		bad = 1
	}
	gauge(trouble, bad)
	in := o.b.o.Ingest()
	for d, v := range map[*prometheus.Desc]int64{messages: in.Messages, refused: in.Refused, records: in.Records, fresh: in.Fresh, acks: in.Acks} {
		count(d, v)
	}
	if list, err := s.Points(ctx, fleet.PointFilter{}); !failed("points", err) {
		gauge(points, len(list))
	}
	if list, err := s.Devices(ctx); !failed("devices", err) {
		o.devices(list, gauge)
	}
	if list, err := s.Incidents(ctx, fleet.IncidentFilter{Open: true}); !failed("incidents", err) {
		gauge(incidents, len(list))
	}
	if list, err := s.Robots(ctx); !failed("robots", err) {
		waiting, dead := map[fleet.Platform]int{}, map[fleet.Platform]int{}
		for _, r := range list {
			waiting[r.Platform] += r.Waiting
			dead[r.Platform] += r.Dead
		}
		for _, p := range fleet.Platforms {
			gauge(letters, waiting[p], string(p), string(fleet.LetterWaiting))
			gauge(letters, dead[p], string(p), string(fleet.LetterDead))
		}
	}
}

// severities are those of conditions, the worst first; what devices of a later
// version say beside them counts as info.
var severities = []string{"bad", "warn", "info"}

func (o office) devices(list []fleet.Device, gauge func(*prometheus.Desc, int, ...string)) {
	states, worst := map[fleet.DeviceState]int{}, map[string]int{}
	connected, late := 0, 0
	for _, d := range list {
		states[d.State]++
		if d.State != fleet.DeviceActive {
			continue
		}
		if d.Online {
			connected++
		}
		if d.PlanVersion < d.WantVersion || len(d.ClipsMiss) > 0 {
			late++
		}
		has := map[string]bool{}
		for _, c := range d.Conditions {
			has[c.Severity] = true
		}
		switch {
		case has["bad"]:
			worst["bad"]++
		case has["warn"]:
			worst["warn"]++
		case len(has) > 0:
			worst["info"]++
		}
	}
	for _, s := range []fleet.DeviceState{fleet.DeviceQuarantine, fleet.DeviceActive, fleet.DeviceRetired, fleet.DeviceRevoked} {
		gauge(devices, states[s], string(s))
	}
	for _, s := range severities {
		gauge(faulty, worst[s], s)
	}
	gauge(online, connected)
	gauge(behind, late)
}
