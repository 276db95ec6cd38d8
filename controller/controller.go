// Package controller wires the office's side together: store, trust, broker,
// link, planner, ledger and pages. It holds no rule of its own.
//
// New binds every port and opens every file, and rolls back on error; Start
// serves; Stop ends it in reverse order within StopTimeout. Two controllers
// may live in one process, with folders of their own. On disk, below the data
// folder:
//
//	gatecast.db     the store (SQLite), with -wal and -shm beside it
//	trust/          keys and certificates
//	media/          clips
//	broker/         the broker's own, disposable
//	console/        commands about accounts given while it runs
package controller

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"time"

	"gatecast/controller/alert"
	"gatecast/controller/api"
	"gatecast/controller/assessment"
	"gatecast/controller/auth"
	"gatecast/controller/backup"
	"gatecast/controller/broker"
	"gatecast/controller/bulletin"
	"gatecast/controller/chronicle"
	"gatecast/controller/complaint"
	"gatecast/controller/config"
	"gatecast/controller/console"
	"gatecast/controller/depot"
	"gatecast/controller/dispatch"
	"gatecast/controller/doorway"
	"gatecast/controller/dossier"
	"gatecast/controller/feedback"
	"gatecast/controller/fleet"
	"gatecast/controller/incident"
	"gatecast/controller/insertion"
	"gatecast/controller/inspection"
	"gatecast/controller/ledger"
	"gatecast/controller/link"
	"gatecast/controller/media"
	"gatecast/controller/metrics"
	"gatecast/controller/mute"
	"gatecast/controller/notary"
	"gatecast/controller/picture"
	"gatecast/controller/planner"
	"gatecast/controller/relay"
	"gatecast/controller/robot"
	"gatecast/controller/roster"
	"gatecast/controller/sheet"
	"gatecast/controller/speech"
	"gatecast/controller/store"
	"gatecast/controller/trust"
	"gatecast/controller/uptime"
	"gatecast/controller/web"
	"gatecast/internal/durable"
	"gatecast/internal/lifecycle"
	"gatecast/internal/wire"
	"gatecast/schedules"
)

// StopTimeout bounds Stop.
const StopTimeout = 5 * time.Second

// Options of New. Config must have passed Validate.
type Options struct {
	Config    config.Config
	Demo      bool                   // accepts demo programmes and says on every page that data are invented
	Version   string                 // shown at the foot of every page
	Logger    *slog.Logger           // required
	OnSettled func(fleet.Obligation) // told of each verdict after its commit; must not block; may be nil
}

// Controller is a running office.
type Controller struct {
	o      Options
	logger *slog.Logger
	stack  lifecycle.Stack
	failed chan error

	Store   *store.Store
	Trust   *trust.Authority
	Planner *planner.Planner
	Relay   *relay.Desk

	calendar *schedules.Calendar
	ceilings wire.Ceilings
	quiet    fleet.QuietHours

	media       *media.Store
	parts       *media.Parts
	hub         *web.Hub
	logins      *auth.Logins
	broker      *broker.Broker // nil when the office has one of its own
	link        *link.Link
	ledger      *ledger.Ledger
	alerts      *alert.Desk
	feedback    *feedback.Desk
	notary      *notary.Notary
	auditor     *notary.AuditSigner
	mutes       *mute.Desk
	dispatch    *dispatch.Desk
	complaints  *complaint.Desk
	bulletins   *bulletin.Desk
	deductions  *assessment.Desk
	urgent      *insertion.Desk
	inspections *inspection.Desk

	onDigest []func(relay.Digest) // immutable after Start
	exports  *dossier.Exporter

	incidents *incident.Desk
	chronicle *chronicle.Desk
	uptime    *uptime.Desk
	robots    *robot.Desk
	night     *backup.Night // nil without nightly backups

	pages   *web.Server
	calls   *api.Server
	board   *metrics.Board
	boardL  net.Listener // nil without figures
	webL    net.Listener
	plainL  net.Listener // redirects to webL; nil without one
	deviceL net.Listener

	certificate *doorway.Certificate // of the operator's own; nil where our CA issues it
}

// New opens everything and binds every port; nothing is served before Start.
func New(ctx context.Context, o Options) (_ *Controller, err error) {
	if o.Logger == nil {
		return nil, errors.New("controller options: Logger is required")
	}
	c := &Controller{o: o, logger: o.Logger, failed: make(chan error, 1), hub: &web.Hub{}}
	defer func() {
		if err != nil {
			stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), StopTimeout)
			defer cancel()
			err = errors.Join(err, c.stack.Stop(stop))
		}
	}()
	if err := c.openFolders(ctx); err != nil {
		return nil, err
	}
	if err := c.openChronicle(); err != nil {
		return nil, err
	}
	if err := c.openFigures(); err != nil {
		return nil, err
	}
	if err := c.openMutes(ctx); err != nil {
		return nil, err
	}
	if err := c.openPlanning(); err != nil {
		return nil, err
	}
	if err := c.openDevices(); err != nil {
		return nil, err
	}
	return c, c.openPages()
}

// openFolders opens what is on disk.
func (c *Controller) openFolders(ctx context.Context) (err error) {
	dir := c.o.Config.DataDir
	if err := durable.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if c.Store, err = store.Open(ctx, filepath.Join(dir, "gatecast.db"), store.Options{Logger: c.part("store")}); err != nil {
		return fmt.Errorf("opening store: %w", err)
	}
	c.stack.OnStop("store", func(context.Context) error { return c.Store.Close() })
	if c.Trust, err = trust.Open(filepath.Join(dir, "trust"), trust.Options{Names: c.hosts(), Logger: c.logger}); err != nil {
		return fmt.Errorf("opening trust folder: %w", err)
	}
	if c.media, err = media.New(filepath.Join(dir, "media")); err != nil {
		return err
	}
	tool := media.FindConverter()
	if c.media.Convert(tool); tool == nil {
		c.logger.Warn("ffmpeg is not installed: m4a, amr, wma and other recordings are refused with advice")
	}
	c.parts, err = media.OpenParts(filepath.Join(dir, "media", "parts"), media.DefaultPartLimits(), time.Now)
	return err
}

// openMutes reads what is silent by order.
func (c *Controller) openMutes(ctx context.Context) (err error) {
	c.mutes, err = mute.Open(ctx, mute.Options{
		Orders: c.Store, Places: c.Store, Sealer: c.Trust, Event: c.publish, Logger: c.part("mute"),
		Send: func(ids []wire.DeviceID) { c.link.Mute(ids) },
		Settle: func(ctx context.Context, since time.Time) {
			if err := c.ledger.Reconsider(ctx, since); err != nil {
				c.logger.Error("settling silenced slots anew", "err", err)
			}
		},
	})
	return err
}

// openPlanning wires planner and ledger.
func (c *Controller) openPlanning() error {
	ceilings, err := c.o.Config.Ceilings()
	if err != nil {
		return err
	}
	c.ceilings = ceilings
	if c.quiet, err = c.o.Config.Sound.Quiet(); err != nil {
		return err
	}
	if c.calendar, err = c.o.Config.Calendar(); err != nil {
		return fmt.Errorf("holiday_tables: %w", err)
	}
	zone, err := time.LoadLocation(c.o.Config.Sound.Zone)
	if err != nil {
		return fmt.Errorf("sound.zone: %w", err)
	}
	if err := c.openRelay(zone); err != nil {
		return err
	}
	if err := c.openBackups(zone); err != nil {
		return err
	}
	c.urgent, err = insertion.Open(context.Background(), insertion.Options{
		Book: c.Store, Library: c.Store, Zone: zone, Quiet: c.quiet, Strict: c.Trust.Strict(), Deliver: func() { c.Planner.Poke() }, Event: c.publish, Logger: c.part("insertion"),
	})
	if err != nil {
		return err
	}
	c.Planner, err = planner.New(planner.Options{
		Insertions: c.urgent, Adjustments: c.Store, Almanac: c.Store,
		Registry: c.Store, Content: c.Store, Ledger: c.Store, Documents: c.Store, Sealer: c.Trust,
		Offer:   func(_ context.Context, ids []wire.DeviceID) { c.link.OfferAll(ids) },
		OnEvent: c.publish, Logger: c.part("planner"), Ceilings: ceilings, Demo: c.o.Demo, Calendar: c.calendar,
		StaleAfter: c.o.Config.Devices.StaleAfter, DefaultClip: c.o.Config.Devices.DefaultClip,
		Before: func(ctx context.Context, now time.Time) error { return c.carryOutUnitChanges(ctx, now.In(zone)) },
	})
	if err != nil {
		return err
	}
	if c.dispatch, err = dispatch.New(dispatch.Options{Book: c.Store, Planner: c.Planner, Zone: zone, Lead: c.o.Config.Sound.ReplaceLead, Logger: c.part("dispatch")}); err != nil {
		return err
	}
	if c.complaints, err = complaint.New(complaint.Options{Book: c.Store, Mutes: c.mutes, Planner: c.Planner, Zone: zone, Logger: c.part("complaint")}); err != nil {
		return err
	}
	c.ledger, err = ledger.New(ledger.Options{
		Store: c.Store, Mutes: c.mutes, Witnesses: c.Store, Logger: c.part("ledger"), OnEvent: c.publish, OnSettled: c.settled,
	})
	if err != nil {
		return err
	}
	if c.inspections, err = inspection.New(c.Store, c.ledger, zone); err != nil {
		return err
	}
	if err := c.openAlerts(zone); err != nil {
		return err
	}
	c.auditor, err = notary.NewAuditSigner(notary.AuditOptions{
		Store: c.Store, Sealer: c.Trust, Zone: zone, Logger: c.part("notary"),
		Keep: c.keepAuditHead,
	})
	if err != nil {
		return err
	}
	c.notary, err = notary.New(notary.Options{Store: c.Store, Sealer: c.Trust, Zone: zone, Audit: c.auditor, Logger: c.part("notary")})
	return err
}

// openDevices binds what gates connect to.
func (c *Controller) openDevices() (err error) {
	c.incidents = incident.New(incident.Options{
		Store: c.Store, Logger: c.part("incident"),
		OnKept: func(p fleet.PointID) { c.publish(fleet.Event{Kind: fleet.EventIncident, Point: p}) },
	})
	if c.deviceL, err = listen("devices.https_listen", c.o.Config.Devices.HTTPS); err != nil {
		return err
	}
	c.stack.OnStop("device port", closer(c.deviceL))
	if err := c.openBroker(); err != nil {
		return err
	}
	c.link, err = link.New(link.Options{
		Broker: c.brokerAddr, TLS: c.Trust.ControllerClientTLS(), Store: c.Store, Trust: c.Trust,
		OnEvent: c.publish, OnRecords: c.ledger.Poke, OnReturn: c.Planner.Poke, OnClone: c.cloned, Kick: c.Kick, OnBroken: c.broken, Lacking: c.mutes.Lacking, Logger: c.logger,
	})
	return err
}

// noteUptime keeps when this office could not hear the gates.
func (c *Controller) noteUptime(ctx context.Context) (err error) {
	if c.uptime, err = uptime.New(uptime.Options{Book: c.Store, Connected: c.link.Connected, Logger: c.part("uptime")}); err != nil {
		return err
	}
	if err := c.uptime.Begin(ctx); err != nil {
		c.logger.Error("noting the start", "err", err) // a full disk does not keep the office from hearing gates
	}
	return nil
}

// openBroker prepares the embedded broker, unless the office has one of its own.
func (c *Controller) openBroker() error {
	if c.o.Config.Devices.Broker != "" {
		return nil
	}
	probe, err := listen("devices.mqtt_listen", c.o.Config.Devices.MQTT)
	if err != nil {
		return err
	}
	addr := probe.Addr().String() // the broker binds by itself: hand it a port known to be free
	if err := probe.Close(); err != nil {
		return fmt.Errorf("probing %q: %w", addr, err)
	}
	c.broker, err = broker.New(broker.Options{
		Addr: addr, TLS: c.Trust.MQTTServerTLS(), Dir: filepath.Join(c.o.Config.DataDir, "broker"),
		Authorize: c.authorize, OnRefused: c.knocked, Logger: c.logger,
	})
	return err
}

// openPages wires the office's pages.
func (c *Controller) openPages() (err error) {
	if c.webL, err = listen("web.listen", c.o.Config.Web.Listen); err != nil {
		return err
	}
	c.stack.OnStop("web port", closer(c.webL))
	if err := c.openEdge(); err != nil {
		return err
	}
	if c.logins, err = c.openLogins(); err != nil {
		return err
	}
	zone, err := time.LoadLocation(c.o.Config.Sound.Zone)
	if err != nil {
		return fmt.Errorf("sound.zone: %w", err)
	}
	if c.exports, err = dossier.New(dossier.Options{Store: c.Store, Trust: c.Trust, Zone: zone, Office: c.o.Config.Name}); err != nil {
		return err
	}
	if c.calls, err = api.New(api.Options{
		Tokens: c.Store, Fleet: c.Store, Ledger: c.Store, Audit: c.Store, JoinCode: c.JoinCode, Trouble: c.Store.Trouble,
		Logger: c.part("api"), Zone: zone, Version: c.o.Version,
		News: c.Store, Library: c.Store, Relay: officeRelay{c.Store, c.Relay}, Subscribe: c.chronicle.Subscribe,
	}); err != nil {
		return err
	}
	desk, err := roster.New(roster.Options{Places: c.Store, People: c.Store, Register: c.Store, Zone: zone, Limits: sheet.DefaultLimits()})
	if err != nil {
		return err
	}
	if err := c.openFeedback(zone); err != nil {
		return err
	}
	if c.bulletins, err = c.openBulletins(zone); err != nil {
		return err
	}
	if c.deductions, err = assessment.New(assessment.Options{Book: c.Store, Ledger: c.Store, Places: c.Store, Clean: picture.Clean, Zone: zone, Logger: c.part("assessment")}); err != nil {
		return err
	}
	c.pages, err = web.New(web.Options{
		Registry: c.Store, Scopes: c.Store, Points: officePoints{c}, Devices: c.Store, Admission: officeAdmission{c}, Ledger: c.Store, Figures: c.Store, Proofs: c.Store, Clips: c.Store, Approvals: officeApprovals{c.Store, c}, Media: officeMedia{c}, Programmes: c.Store,
		Library: c.Store, Reels: officeReels{c}, Transfers: c.parts, Settings: c.Store, Week: c.Planner.Week,
		Planner: officePlanner{c}, Almanac: officePlanner{c}, Holidays: officePlanner{c}, Outlook: officePlanner{c}, Drafts: c.Store, Keys: officeKeys{c}, JoinCodes: c.Store, Trust: officeTrust{c}, Audit: c.Store, Evidence: officeEvidence{c}, Logins: c.logins,
		Register: officeRegister{c}, Sites: officeRegister{c}, Rosters: c.Store,
		Slips: c.Store, SlipSigner: c.Trust,
		AuditBook: officeAudit{c.Store, c}, Retention: c.o.Config.Retention.Audit(), ErasePhone: c.o.Config.Retention.Phone(),
		Publications: c.Store, Losses: c.Store, Recovery: officeRecovery{c}, Incidents: c.Store, Alerts: c.Store, Inspections: c.Store, InspectionDesk: c.inspections,
		Dispatch: c.dispatch, Replacements: c.Store, Complaints: c.Store, ComplaintDesk: c.complaints, Plans: officePlans{c}, Calibrations: c.Store,
		Groups: c.Store, GroupBook: c.Store, Relay: c.Relay, RelayBook: c.Store,
		Bulletins: c.bulletins, BulletinBook: c.Store, WeekFigures: c.Store, Feedback: c.feedback, FeedbackBook: c.Store, Deductions: c.deductions, DeductionBook: c.Store,
		Mutes: c.mutes, Urgent: c.urgent, Ceilings: c.ceilings, Insertions: c.Store,
		Speech: speech.New(speech.Options{Command: c.o.Config.Speech.Command, Timeout: c.o.Config.Speech.Timeout}), Utterances: c.Store, UrgentTexts: c.Store, Forward: c.Relay, QuietRules: c.Planner, Quiet: c.quiet,
		Events: c.hub, OnAttack: c.incidents.Report, Trouble: c.Store.Trouble, Logger: c.part("web"), Zone: zone, Name: c.o.Config.Name, Version: c.o.Version, Demo: c.o.Demo,
		RosterDesk:     desk,
		Backups:        c.Store,
		Robots:         officeRobots{c.Store, c.robots},
		AdminAddresses: c.o.Config.Web.Admins(), TrustedProxies: c.o.Config.Web.Proxies(), Insist: c.certificate != nil, Certificates: c.certificates(), Tokens: c.Store,
	})
	return err
}

// openLogins reads the accounts' rules and the failures that still count.
func (c *Controller) openLogins() (*auth.Logins, error) {
	return auth.New(context.Background(), auth.Options{
		Store: c.Store, Vault: c.Store.Vault(), Idle: c.o.Config.Web.Idle, Admin: min(c.o.Config.Web.AdminIdle, c.o.Config.Web.Idle), Issuer: c.o.Config.Name,
	})
}

// Start serves until Stop. A part that fails ends the whole: see Failed.
func (c *Controller) Start() error {
	if err := c.noteUptime(context.Background()); err != nil {
		return fmt.Errorf("noting the start: %w", err)
	}
	if c.broker != nil {
		if err := c.broker.Start(); err != nil {
			return fmt.Errorf("starting broker: %w", err)
		}
		c.stack.OnStop("broker", c.broker.Stop)
	}
	if err := c.link.Start(); err != nil {
		return fmt.Errorf("starting link: %w", err)
	}
	c.stack.OnStop("link", c.link.Stop)
	// Before anything is settled: an earlier run may have left slots unwritten.
	if err := c.Planner.Finish(context.Background(), time.Now()); err != nil {
		c.logger.Error("finishing an earlier planning run", "err", err) // the planner tries again
	}
	c.stack.Go("uptime", c.uptime.Run, c.fail)
	c.stack.Go("robots", c.tellRobots, c.fail)
	c.stack.Go("chronicle", c.chronicle.Run, c.fail)
	c.stack.Go("incidents", c.incidents.Run, c.fail)
	c.stack.Go("ledger", c.ledger.Run, c.fail)
	c.stack.Go("alerts", c.alerts.Run, c.fail)
	c.stack.Go("notary", c.notary.Run, c.fail)
	c.stack.Go("console", func(ctx context.Context) error {
		desk := console.Desk{Logins: c.logins, Now: time.Now, Logger: c.part("console")}
		return console.Serve(ctx, c.o.Config.DataDir, desk.Do, c.part("console"))
	}, c.fail)
	c.stack.Go("retention", c.tidy, c.fail)
	c.stack.Go("feedback", c.feedback.Run, c.fail)
	c.stack.Go("bulletins", c.draftBulletins, c.fail)
	c.stack.Go("insertions", c.urgent.Run, c.fail)
	c.stack.Go("relay", c.Relay.Run, c.fail)
	c.stack.Go("planner", c.Planner.Run, c.fail)
	if c.night != nil {
		c.stack.Go("backup", c.night.Run, c.fail)
	}
	handler := depot.Handler(depot.Options{
		Store: c.Store, Trust: c.Trust, Clips: approvedClips{c}, MQTTAddr: c.MQTTAddr(),
		OnEnrolled: func(wire.DeviceID) { c.Planner.Poke() }, OnRefused: c.attempted, Logger: c.part("depot"),
	})
	c.serve("device server", doorway.Listen(c.deviceL, deviceLimits), c.board.Count("devices", handler), c.Trust.ServerTLS())
	c.stack.OnStop("event streams", func(context.Context) error { return errors.Join(c.pages.Close(), c.calls.Close()) })
	c.servePages()
	c.serveFigures()
	c.logger.Info("controller started", "web", c.WebURL(), "devices", c.DeviceURL(), "mqtt", c.MQTTAddr())
	return nil
}

// Failed yields the error of a part that ended by itself; the owner stops the
// controller then.
func (c *Controller) Failed() <-chan error { return c.failed }

// Stop ends everything within ctx. It is idempotent.
func (c *Controller) Stop(ctx context.Context) error { return c.stack.Stop(ctx) }

// Run is New, Start, wait for ctx or a failure, Stop. ready is called once
// everything is served; it may be nil.
func Run(ctx context.Context, o Options, ready func(*Controller)) error {
	c, err := New(ctx, o)
	if err != nil {
		return err
	}
	err = c.Start()
	if err == nil {
		if ready != nil {
			ready(c)
		}
		select {
		case <-ctx.Done():
		case err = <-c.failed:
		}
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), StopTimeout)
	defer cancel()
	return errors.Join(err, c.Stop(stop))
}

func (c *Controller) fail(name string, err error) {
	select {
	case c.failed <- fmt.Errorf("%s ended: %w", name, err):
	default:
	}
}

func (c *Controller) part(name string) *slog.Logger { return c.logger.With("component", name) }

func (c *Controller) publish(e fleet.Event) {
	c.hub.Publish(e)
	c.chronicle.Notice(e)
}

func closer(l net.Listener) func(context.Context) error {
	return func(context.Context) error {
		if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	}
}
