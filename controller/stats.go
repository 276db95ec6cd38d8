package controller

import (
	"fmt"
	"net/http"
	"time"

	"gatecast/controller/doorway"
	"gatecast/controller/link"
	"gatecast/controller/metrics"
)

// LinkStats returns what the MQTT link has done since the start.
func (c *Controller) LinkStats() link.Stats { return c.link.Stats() }

// openFigures prepares the figures, and their address where one is configured.
func (c *Controller) openFigures() (err error) {
	c.board, err = metrics.New(metrics.Options{
		Store: c.Store, Version: c.o.Version, Logger: c.part("metrics"),
		Ingest: func() metrics.Ingest {
			s := c.link.Stats()
			return metrics.Ingest{Messages: s.Messages, Refused: s.Refused + s.Dropped, Records: s.Records, Fresh: s.Fresh, Acks: s.Acks}
		},
	})
	if err != nil || c.o.Config.Metrics.Listen == "" {
		return err
	}
	if c.boardL, err = listen("metrics.listen", c.o.Config.Metrics.Listen); err != nil {
		return err
	}
	c.stack.OnStop("metrics port", closer(c.boardL))
	return nil
}

// figureTime bounds an answer with figures.
const figureTime = 30 * time.Second

// serveFigures serves /metrics at its own address.
func (c *Controller) serveFigures() {
	if c.boardL == nil {
		return
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", c.board.Handler())
	c.serve("metrics server", c.boardL, doorway.Patience(figureTime, figureTime, mux), nil)
	c.logger.Info("figures are served", "url", c.FiguresURL())
}

// FiguresURL is where the figures are, empty without any.
func (c *Controller) FiguresURL() string {
	if c.boardL == nil {
		return ""
	}
	return fmt.Sprintf("http://%s/metrics", c.boardL.Addr())
}
