// Package weirtest starts weirs for the tests.
package weirtest

import (
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	patience = 30 * time.Second
	pause    = 15 * time.Millisecond
	attempts = 3
	rules    = `
domain: shop
descriptors:
  - key: user
    rate_limit: { unit: year, requests_per_unit: 3, name: per-user }
  - key: path
    rate_limit: { unit: year, requests_per_unit: 100 }
  - key: many
    rate_limit: { unit: year, requests_per_unit: 1000000 }
  - key: slow
    rate_limit: { unit: year, unit_multiplier: 2, requests_per_unit: 5 }
  - key: free
    rate_limit: { unlimited: true }
`
)

// Service is a weir of the tests that counts in memory.
type Service struct {
	// Address is host:port or unix:/path.
	Address string
	http    string
	process *exec.Cmd
	ended   chan struct{}
}

// Start starts one, with these settings too, waits until it is ready, and ends it after the test.
func Start(t testing.TB, settings ...string) *Service {
	t.Helper()
	file := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(file, []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	// A port that was free a moment ago may be somebody's connection by now.
	for range attempts {
		if s := start(t, file, settings); s != nil {
			return s
		}
	}
	t.Fatalf("weir ended %d times before it was ready", attempts)
	return nil
}

// start gives nil when it has ended before it was ready.
func start(t testing.TB, file string, settings []string) *Service {
	t.Helper()
	address, web := FreeAddress(t), FreeAddress(t)
	s := &Service{Address: address, http: "http://" + web, ended: make(chan struct{})}
	words := append(command(), "serve", "--rules", file)
	s.process = exec.Command(words[0], words[1:]...)
	s.process.Stdout, s.process.Stderr = os.Stdout, os.Stderr
	s.process.Env = append([]string{
		"PATH=" + os.Getenv("PATH"),
		"BACKEND_TYPE=memory",
		"LOG_LEVEL=error",
		"HOST=127.0.0.1", "GRPC_HOST=127.0.0.1", "DEBUG_HOST=127.0.0.1",
		"GRPC_PORT=" + portOf(address), "PORT=" + portOf(web), "DEBUG_PORT=" + portOf(FreeAddress(t)),
	}, settings...)
	for _, setting := range settings {
		if path, ok := strings.CutPrefix(setting, "GRPC_UDS="); ok {
			s.Address = "unix:" + path
		}
		if port, ok := strings.CutPrefix(setting, "GRPC_PORT="); ok {
			s.Address = "127.0.0.1:" + port
		}
	}
	if err := s.process.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = s.process.Wait()
		close(s.ended)
	}()
	t.Cleanup(s.Kill)
	Eventually(t, "weir to be ready", func() bool { return s.hasEnded() || s.get("/readyz") != "" })
	if s.hasEnded() {
		return nil
	}
	return s
}

// Stop tells it to end, and waits until it has.
func (s *Service) Stop() { s.end(syscall.SIGTERM) }

// Kill ends it without a word.
func (s *Service) Kill() { s.end(syscall.SIGKILL) }

func (s *Service) end(signal syscall.Signal) {
	_ = s.process.Process.Signal(signal)
	<-s.ended
}

func (s *Service) hasEnded() bool {
	select {
	case <-s.ended:
		return true
	default:
		return false
	}
}

var decisions = regexp.MustCompile(`(?m)^ratelimit_decisions_total\{.*\} (\d+)$`)

// Decisions is how many checks it has answered.
func (s *Service) Decisions() int {
	sum := 0
	for _, found := range decisions.FindAllStringSubmatch(s.get("/metrics"), -1) {
		count, _ := strconv.Atoi(found[1])
		sum += count
	}
	return sum
}

// get gives "" unless it is answered well.
func (s *Service) get(path string) string {
	response, err := http.Get(s.http + path)
	if err != nil {
		return ""
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		return ""
	}
	return string(text)
}

// command is what starts weir: `npm run build` of the project has made it, or WEIR_COMMAND names another.
func command() []string {
	if words := strings.Fields(os.Getenv("WEIR_COMMAND")); len(words) > 0 {
		return words
	}
	_, here, _, _ := runtime.Caller(0)
	return []string{"node", filepath.Join(filepath.Dir(here), "../../../../dist/main.js")}
}

// Eventually polls until the probe is true, and fails the test after half a minute.
func Eventually(t testing.TB, what string, probe func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(pause) {
		if probe() {
			return
		}
	}
	t.Fatalf("waited in vain for %s", what)
}

// FreeAddress is one that nobody listens on.
func FreeAddress(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

func portOf(address string) string {
	_, port, _ := net.SplitHostPort(address)
	return port
}
