package schedules

import (
	"bytes"
	"fmt"

	"go.yaml.in/yaml/v3"
)

// Rewrite writes p as Marshal does and takes the comments of an older text of
// it along: those above, beside and below every key and every list entry that
// is still there. An entry is the same if its key or id is, an override by its
// place, a value of a list if it is equal. Comments of what is gone go with it;
// blank lines, quotes and the order of keys become those of Marshal. A text that
// is not YAML has no comments.
func Rewrite(old []byte, p *Programme) ([]byte, error) {
	text, err := Marshal(p)
	if err != nil {
		return nil, err
	}
	var was, is yaml.Node
	if yaml.Unmarshal(old, &was) != nil || len(was.Content) == 0 {
		return text, nil
	}
	if err := yaml.Unmarshal(text, &is); err != nil {
		return nil, fmt.Errorf("reading back programme %q: %w", p.ID, err)
	}
	comment(&is, &was)
	comment(is.Content[0], was.Content[0])
	take(is.Content[0], was.Content[0])
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(&is); err != nil {
		return nil, fmt.Errorf("writing programme %q: %w", p.ID, err)
	}
	if err := enc.Close(); err != nil {
		return nil, fmt.Errorf("writing programme %q: %w", p.ID, err)
	}
	// Comments may stand where the library writes them somewhere else: what is
	// read must be p.
	again, err := Parse("", b.Bytes())
	if err != nil || !sameText(again, text) {
		return text, nil
	}
	return b.Bytes(), nil
}

func sameText(p *Programme, text []byte) bool {
	again, err := Marshal(p)
	return err == nil && bytes.Equal(again, text)
}

func comment(to, from *yaml.Node) {
	to.HeadComment, to.LineComment, to.FootComment = from.HeadComment, from.LineComment, from.FootComment
}

// take copies the comments below from to what is the same below to.
func take(to, from *yaml.Node) {
	if to.Kind != from.Kind {
		return
	}
	switch to.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(to.Content); i += 2 {
			for j := 0; j+1 < len(from.Content); j += 2 {
				if to.Content[i].Value == from.Content[j].Value {
					comment(to.Content[i], from.Content[j])
					comment(to.Content[i+1], from.Content[j+1])
					take(to.Content[i+1], from.Content[j+1])
					break
				}
			}
		}
	case yaml.SequenceNode:
		for i, item := range to.Content {
			if old := counterpart(item, i, from); old != nil {
				comment(item, old)
				take(item, old)
			}
		}
	}
}

// counterpart returns the entry of from that item, at place i, was.
func counterpart(item *yaml.Node, i int, from *yaml.Node) *yaml.Node {
	if item.Kind != yaml.MappingNode {
		for _, old := range from.Content {
			if old.Kind == yaml.ScalarNode && old.Value == item.Value {
				return old
			}
		}
		return nil
	}
	for _, name := range []string{"key", "id"} {
		id := idOf(item, name)
		if id == "" {
			continue
		}
		for _, old := range from.Content {
			if idOf(old, name) == id {
				return old
			}
		}
		return nil
	}
	if i < len(from.Content) {
		return from.Content[i]
	}
	return nil
}
