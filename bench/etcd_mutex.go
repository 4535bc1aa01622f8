// SPDX-License-Identifier: BSD-3-Clause

// The workloads E1, E2 and E3 of bench/etcd.c, with the mutex of etcd's own client
// (clientv3/concurrency).
//
//	etcd_mutex URL
package main

import (
	"context"
	"fmt"
	"os"
	"sort"
	"time"

	"go.etcd.io/etcd/clientv3"
	"go.etcd.io/etcd/clientv3/concurrency"
)

// The number of repetitions, as in bench/etcd.c.
const (
	pairs  = 2000
	fresh  = 40
	long   = 11
	puts   = 2000
	rested = 41
)

var everything = context.Background()

func require(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "etcd_mutex:", err)
		os.Exit(1)
	}
}

// measure calls f n times; prints the median and the 99th percentile of the times that f returns.
func measure(workload, param string, n int, f func() time.Duration) {
	us := make([]float64, n)
	for i := range us {
		us[i] = float64(f().Nanoseconds()) / 1000
	}
	sort.Float64s(us)
	fmt.Printf("go %s %s %.2f us\n", workload, param, us[n/2])
	fmt.Printf("go %s %s_p99 %.2f us\n", workload, param, us[(n-1)*99/100])
}

func timed(f func() error) time.Duration {
	start := time.Now()
	require(f())
	return time.Since(start)
}

type party struct {
	client  *clientv3.Client
	session *concurrency.Session
	mutex   *concurrency.Mutex
}

func join(url string) *party {
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{url}})
	require(err)
	session, err := concurrency.NewSession(client)
	require(err)
	return &party{client, session, concurrency.NewMutex(session, "bench-go")}
}

func (p *party) quit() {
	require(p.session.Close())
	require(p.client.Close())
}

func (p *party) acquire() { require(p.mutex.Lock(everything)) }
func (p *party) release() { require(p.mutex.Unlock(everything)) }

func runPairs(p *party) {
	measure("E1", "pair", pairs, func() time.Duration {
		start := time.Now()
		p.acquire()
		p.release()
		return time.Since(start)
	})
}

// handOver returns the time from just before the release to the return of the call that waits.
func handOver(from, to *party, rest time.Duration) time.Duration {
	granted := make(chan time.Time)
	go func() {
		to.acquire()
		granted <- time.Now()
	}()
	time.Sleep(rest)
	start := time.Now()
	from.release()
	return (<-granted).Sub(start)
}

func runHandOver(a, b *party, param string, n int, rest time.Duration) {
	a.acquire()
	measure("E2", param, n, func() time.Duration {
		time := handOver(a, b, rest)
		a, b = b, a
		return time
	})
	a.release()
}

func runBare(p *party) {
	put := func() error {
		_, err := p.client.Put(everything, "bench-go-bare", "")
		return err
	}
	measure("E3", "round_trip", puts, func() time.Duration { return timed(put) })
	measure("E3", "round_trip_rested", rested, func() time.Duration {
		time.Sleep(100 * time.Millisecond)
		return timed(put)
	})
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: etcd_mutex http://HOST:PORT")
		os.Exit(2)
	}
	a, b := join(os.Args[1]), join(os.Args[1])
	runPairs(a)
	runHandOver(a, b, "fresh", fresh, 5*time.Millisecond)
	runHandOver(a, b, "long", long, 500*time.Millisecond)
	runBare(a)
	a.quit()
	b.quit()
}
