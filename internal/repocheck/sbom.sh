#!/bin/sh
# Writes the software bill of materials of the programs in dist/linux-amd64
# (make cross) as CycloneDX JSON beside them, and checks that no module of a
# binary is missing from it.
set -eu
tool=github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0
for program in gatecast gatecast-agent gatecast-controller; do
	binary=dist/linux-amd64/$program
	# The binary and not the source tree: what is in it is what is listed.
	go run "$tool" bin -json -noserial -output "$binary.cdx.json" "$binary" 2>"$binary.cdx.log" || { cat "$binary.cdx.log" >&2; exit 1; }
	rm "$binary.cdx.log"
	go version -m "$binary" | awk '$1 == "dep" { print $2 "@" $3 }' | sort >"$binary.want"
	jq -r '.components[] | .name + "@" + .version' "$binary.cdx.json" | sort >"$binary.have"
	missing=$(comm -23 "$binary.want" "$binary.have")
	rm "$binary.want" "$binary.have"
	[ -z "$missing" ] || { echo "$binary.cdx.json lacks: $missing" >&2; exit 1; }
	echo "$binary.cdx.json: $(jq '.components | length' "$binary.cdx.json") modules"
done
