# make test installs what the full test run needs (by apt, where it may) and
# runs it; plain `go test ./...` passes with Go alone.

GO ?= go
export CGO_ENABLED = 0

.PHONY: build test tools race lint fuzz cross sbom reproduce vuln demo faults rivals powercut clean

build:
	$(GO) build -trimpath -o bin/ ./cmd/...

tools:
	sh internal/repocheck/tools.sh

# Packages whose tests play in real time. Those that compare what a sound server
# heard, and the agent with its deadlines, run alone, so that the tests of other
# packages do not make them late. Of the others, which mostly wait, two run at
# once. The acceptance tests come last, many at once.
HEARD = /agent$$|/audio/output$$|/audio/output/alsa
SOUND = /internal/soundcheck|/internal/guest|/controller/link
MACHINES = /audio/output/vmtest|/cmd/gatecast$$|/internal/simulate/
REALTIME = $(HEARD)|$(SOUND)|$(MACHINES)|/internal/simulate|/internal/acceptance

# The race detector needs cgo and a C compiler; the products do not. Packages
# that compute for long and share nothing run without it: SQLite, which is C in
# Go's clothes, would be ten times slower. None of them may use sync.Map or another
# generic type of sync: the linker would take its copy for everybody. The
# acceptance tests run on the programs as they are shipped.
PLAIN = modernc.org/sqlite/lib modernc.org/libc/... modernc.org/memory golang.org/x/crypto/argon2 golang.org/x/crypto/blake2b \
 github.com/mewkiz/... github.com/icza/... github.com/hajimehoshi/... github.com/jfreymuth/vorbis github.com/gopxl/beep/v2/... \
 golang.org/x/net/html/... github.com/andybalholm/cascadia text/template/parse \
 gatecast/audio gatecast/audio/decode gatecast/audio/encode gatecast/audio/loudness
RACE = -race $(foreach p,$(PLAIN),-gcflags='$(p)=-race=false')

# They begin first, so that nothing waits for them at the end.
LONG = ./controller/store ./agent/playout ./controller/media

# The tests of the pages run a browser and hundreds of small worlds. All of them
# run as shipped, those in a browser beside the others, and with the race detector
# those in which many ask at once.
PAGES = ./controller/web
BROWSER = InThe(Browser|Dark)
SHARED = Live|Hub|Upload|Oversize|Patience|Session|Forged

# Properties draw fresh cases from every state of the sources, and the same ones
# on every machine: a red run repeats for everybody. 0 draws at random.
export RAPID_SEED ?= $(shell git ls-files -s 2>/dev/null | cksum | cut -d' ' -f1)

# Two lines of work where two do not disturb each other; their output is kept apart.
BOTH = +$(MAKE) --no-print-directory -j 2 --output-sync=target

test: tools
	CGO_ENABLED=1 $(GO) test $(RACE) -shuffle=on -timeout 20m -p 3 $$($(GO) list $(LONG) ./... | grep -Ev '$(REALTIME)|/controller/web$$')
	CGO_ENABLED=1 $(GO) test $(RACE) -shuffle=on -timeout 20m -run '$(SHARED)' $(PAGES)
	CGO_ENABLED=1 $(GO) test $(RACE) -shuffle=on -timeout 20m -p 1 -parallel 4 $$($(GO) list ./... | grep -E '$(HEARD)')
	$(BOTH) test-sound test-machines
	$(BOTH) test-pages test-browser
	$(GO) test -shuffle=on -timeout 15m -parallel 8 ./internal/acceptance/... ./internal/simulate

.PHONY: test-sound test-machines test-pages test-browser
test-sound:
	CGO_ENABLED=1 $(GO) test $(RACE) -shuffle=on -timeout 20m -p 1 -parallel 4 $$($(GO) list ./... | grep -E '$(SOUND)')
test-machines:
	CGO_ENABLED=1 $(GO) test $(RACE) -shuffle=on -timeout 20m -p 1 -parallel 4 $$($(GO) list ./... | grep -E '$(MACHINES)')
test-pages:
	$(GO) test -shuffle=on -timeout 15m -skip '$(BROWSER)' $(PAGES)
test-browser:
	$(GO) test -shuffle=on -timeout 15m -run '$(BROWSER)' $(PAGES)

lint:
	sh internal/repocheck/lint.sh

# Every fuzz target for a short while, each from its corpus.
fuzz:
	sh internal/repocheck/fuzz.sh $(FUZZTIME)

cross:
	sh internal/repocheck/cross.sh

# What is in the programs, and whether somebody else gets the same bytes.
sbom: cross
	sh internal/repocheck/sbom.sh

PROGRAMS ?= gatecast-agent gatecast-controller
reproduce:
	sh internal/repocheck/reproduce.sh $(PROGRAMS)

# Before a release: fails where the vulnerability database cannot be asked.
vuln:
	VULN=require sh internal/repocheck/vuln.sh

demo:
	$(GO) run ./cmd/gatecast demo

# Real faults on the real programs: runs the tests and prints the table of what
# was tried, lost and doubled. FAULTS are further flags of go test.
faults: tools
	sh internal/acceptance/faults.sh $(FAULTS)

# Every attack of the test suite: what was tried and what was refused.
# ATTACKS are further flags of go test.
attacks: tools
	sh internal/acceptance/attacks.sh $(ATTACKS)

# The same power cuts and the same outage for Gatecast and for what people use
# instead: who loses what. Ten minutes; RIVALS is the number of plays.
RIVALS ?= 120
rivals: tools
	GATECAST_RIVALS=$(RIVALS) sh internal/acceptance/rivals.sh

# Cuts the power of a virtual machine with an agent, a kernel and ext4 of its
# own N times and prints a table. A cut takes a quarter of a minute.
N ?= 40
powercut: tools
	GATECAST_POWER_CUTS=$(N) $(GO) test -count=1 -timeout 4h -v -run TestSurvivesPowerCutsOfAMachine ./internal/acceptance

clean:
	rm -rf bin dist
