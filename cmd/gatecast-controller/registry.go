package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"go.yaml.in/yaml/v3"

	"gatecast/controller/fleet"
)

//go:embed registry-example.yaml
var registryExample string

// registryFile is the YAML form of the registry; references are codes and
// names, so the same file may be imported again after it was edited.
type registryFile struct {
	Units     []unitYAML     `yaml:"units"`
	Grids     []gridYAML     `yaml:"grids"`
	Compounds []compoundYAML `yaml:"compounds"`
	Points    []pointYAML    `yaml:"points"`
	Groups    []groupYAML    `yaml:"groups"`
	Liaisons  []liaisonYAML  `yaml:"liaisons"`
}

type unitYAML struct {
	Code   string `yaml:"code"`
	Type   string `yaml:"type"`
	Name   string `yaml:"name"`
	Short  string `yaml:"short"`
	Parent string `yaml:"parent"`
	Region string `yaml:"region"`
	Head   string `yaml:"head"`
	Leader string `yaml:"leader"`
}

type gridYAML struct {
	Unit   string `yaml:"unit"`
	Number int    `yaml:"number"`
	Name   string `yaml:"name"`
	Worker string `yaml:"worker"`
}

type compoundYAML struct {
	Unit     string `yaml:"unit"`
	Grid     int    `yaml:"grid"`
	Name     string `yaml:"name"`
	Property string `yaml:"property"`
}

type pointYAML struct {
	Code     string   `yaml:"code"`
	Name     string   `yaml:"name"`
	Kind     string   `yaml:"kind"`
	Unit     string   `yaml:"unit"`
	Compound string   `yaml:"compound"`
	Tags     []string `yaml:"tags"`
	Duty     string   `yaml:"duty"`
	Phone    string   `yaml:"phone"`
}

type groupYAML struct {
	Code    string `yaml:"code"`
	Tier    int    `yaml:"tier"`
	Name    string `yaml:"name"`
	Unit    string `yaml:"unit"`
	Grid    int    `yaml:"grid"`
	Owner   string `yaml:"owner"`
	Members int    `yaml:"members"`
}

type liaisonYAML struct {
	Unit  string `yaml:"unit"`
	Name  string `yaml:"name"`
	Post  string `yaml:"post"`
	Phone string `yaml:"phone"`
	Until string `yaml:"until"` // last day in the post, 2006-01-02; empty while current
}

// parseRegistry reads the file strictly; now dates new liaisons.
func parseRegistry(data []byte, now time.Time) (fleet.Registry, error) {
	var f registryFile
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	if err := dec.Decode(&f); err != nil {
		return fleet.Registry{}, err
	}
	var r fleet.Registry
	for i, u := range f.Units {
		r.Units = append(r.Units, fleet.UnitEntry{Parent: u.Parent, Unit: fleet.Unit{
			Code: u.Code, Type: fleet.UnitType(u.Type), Name: u.Name, ShortName: u.Short,
			Region: u.Region, Head: u.Head, Leader: u.Leader, Order: i,
		}})
	}
	for _, g := range f.Grids {
		r.Grids = append(r.Grids, fleet.GridEntry{Unit: g.Unit, Grid: fleet.Grid{Number: g.Number, Name: g.Name, Worker: g.Worker}})
	}
	for _, c := range f.Compounds {
		r.Compounds = append(r.Compounds, fleet.CompoundEntry{Unit: c.Unit, Grid: c.Grid, Compound: fleet.Compound{Name: c.Name, Property: c.Property}})
	}
	for _, p := range f.Points {
		r.Points = append(r.Points, fleet.PointEntry{Unit: p.Unit, Compound: p.Compound, Point: fleet.Point{
			Code: p.Code, Name: p.Name, Kind: fleet.PointKind(p.Kind), Tags: p.Tags, DutyName: p.Duty, DutyPhone: fleet.Phone(p.Phone),
		}})
	}
	for _, g := range f.Groups {
		r.Groups = append(r.Groups, fleet.GroupEntry{Unit: g.Unit, Grid: g.Grid, Group: fleet.Group{
			Code: g.Code, Tier: g.Tier, Name: g.Name, Owner: g.Owner, Members: g.Members,
		}})
	}
	for _, l := range f.Liaisons {
		var until time.Time
		if l.Until != "" {
			last, err := time.ParseInLocation(time.DateOnly, l.Until, now.Location())
			if err != nil {
				return fleet.Registry{}, fmt.Errorf("liaisons: until %q of %q is no date such as 2026-12-31", l.Until, l.Name)
			}
			until = last.AddDate(0, 0, 1)
		}
		r.Liaisons = append(r.Liaisons, fleet.LiaisonEntry{Unit: l.Unit, Liaison: fleet.Liaison{Name: l.Name, Post: l.Post, Phone: fleet.Phone(l.Phone), From: now, To: until}})
	}
	return r, nil
}

// importRegistry adds what file holds and updates what is there by code;
// nothing is removed. All of it goes in or none.
func (p *program) importRegistry(ctx context.Context, file string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("reading registry: %w", err)
	}
	reg, err := parseRegistry(data, time.Now())
	if err != nil {
		return &fleet.Error{Code: fleet.Invalid, Err: err,
			Text:   fmt.Sprintf("%s 读不懂：%v。什么都没有导入，请改正后再试", file, err),
			TextEN: fmt.Sprintf("%s cannot be read: %v. Nothing was imported", file, err)}
	}
	s, err := p.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	ctx, _ = fleet.WithAudit(ctx, p.audit(fleet.Audit{What: fleet.AuditRegistry, Object: filepath.Base(file), Detail: fmt.Sprintf("SHA-256 %x", sha256.Sum256(data)),
		After: fleet.Fields("units", strconv.Itoa(len(reg.Units)), "points", strconv.Itoa(len(reg.Points)), "liaisons", strconv.Itoa(len(reg.Liaisons)))}))
	if err := s.ImportRegistry(ctx, reg); err != nil {
		return err
	}
	fmt.Fprintf(p.out, "已导入 · imported: %d 单位 units, %d 小区 compounds, %d 点位 points, %d 群 groups, %d 联络员 liaisons\n",
		len(reg.Units), len(reg.Compounds), len(reg.Points), len(reg.Groups), len(reg.Liaisons))
	return nil
}
