package controller

import "gatecast/controller/link"

// LinkStats returns what the MQTT link has done since the start.
func (c *Controller) LinkStats() link.Stats { return c.link.Stats() }
