package main

import (
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// sqliteBox is a table of events; a sender posts the oldest and deletes it when
// the office has answered.
type sqliteBox struct {
	db  *sql.DB
	url string
}

func newSQLite(dir, url, synchronous string) (*sqliteBox, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "outbox.db")+"?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous("+synchronous+")")
	if err != nil {
		return nil, err
	}
	if _, err := db.Exec("CREATE TABLE IF NOT EXISTS outbox (id INTEGER PRIMARY KEY AUTOINCREMENT, event TEXT NOT NULL)"); err != nil {
		return nil, fmt.Errorf("making the outbox: %w", err)
	}
	b := &sqliteBox{db: db, url: url}
	go b.send()
	return b, nil
}

func (b *sqliteBox) put(event string) error {
	_, err := b.db.Exec("INSERT INTO outbox (event) VALUES (?)", event)
	return err
}

func (b *sqliteBox) send() {
	client := &http.Client{Timeout: 5 * time.Second}
	pause := time.NewTicker(200 * time.Millisecond)
	for {
		if err := b.sendOldest(client); err != nil {
			if !errors.Is(err, sql.ErrNoRows) {
				fmt.Fprintln(os.Stderr, "rival: sending:", err)
			}
			<-pause.C
		}
	}
}

func (b *sqliteBox) sendOldest(client *http.Client) error {
	var id int64
	var event string
	if err := b.db.QueryRow("SELECT id, event FROM outbox ORDER BY id LIMIT 1").Scan(&id, &event); err != nil {
		return err
	}
	res, err := client.Post(b.url, "text/plain", strings.NewReader(event+"\n"))
	if err != nil {
		return err
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return errors.New(res.Status)
	}
	_, err = b.db.Exec("DELETE FROM outbox WHERE id = ?", id)
	return err
}
