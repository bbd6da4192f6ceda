// SPDX-License-Identifier: MIT
//
// Goroutines on several threads, channels, the garbage collector, timers, files.

package main

import (
	"fmt"
	"os"
	"runtime"
	"sort"
	"sync"
	"time"
)

func main() {
	runtime.GOMAXPROCS(4)
	results := make(chan int, 16)
	var group sync.WaitGroup
	for worker := 0; worker < 8; worker++ {
		group.Add(1)
		go func(worker int) {
			defer group.Done()
			kept := map[int][]byte{}
			for i := 0; i < 500; i++ {
				kept[i%37] = make([]byte, 1000+i)
			}
			total := 0
			for _, block := range kept {
				total += len(block)
			}
			results <- total + worker
		}(worker)
	}
	group.Wait()
	close(results)
	var all []int
	for result := range results {
		all = append(all, result)
	}
	sort.Ints(all)
	fmt.Println(all)
	runtime.GC()

	before := time.Now()
	select {
	case <-time.After(5 * time.Millisecond):
		fmt.Println("timer", time.Since(before) >= 5*time.Millisecond)
	}
	name := fmt.Sprintf("/tmp/go-work-%d", os.Getpid())
	if err := os.WriteFile(name, []byte("text"), 0o600); err != nil {
		fmt.Println("cannot write")
		os.Exit(1)
	}
	text, _ := os.ReadFile(name)
	os.Remove(name)
	_, err := os.Stat("/no/such/file")
	fmt.Println(string(text), os.IsNotExist(err))
	func() {
		defer func() { fmt.Println("recovered:", recover()) }()
		var nothing *int
		fmt.Println(*nothing)
	}()
	os.Exit(4)
}
