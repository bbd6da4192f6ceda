// SPDX-License-Identifier: MIT
//
// Goroutines, channels, select, timers, contexts, commands, signals, files, JSON, maps and garbage.
package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

func squares(in <-chan int) <-chan int {
	out := make(chan int)
	go func() {
		defer close(out)
		for n := range in {
			out <- n * n
		}
	}()
	return out
}

type node struct {
	left, right *node
}

func tree(depth int) *node {
	if depth == 0 {
		return &node{}
	}
	return &node{tree(depth - 1), tree(depth - 1)}
}

func (n *node) count() int {
	if n.left == nil {
		return 1
	}
	return 1 + n.left.count() + n.right.count()
}

type person struct {
	Name string            `json:"name"`
	Age  int               `json:"age,omitempty"`
	Tags map[string]string `json:"tags"`
}

func commands() {
	out, err := exec.Command("sh", "-c", "echo out; echo err >&2; exit 3").CombinedOutput()
	fmt.Printf("%q %v\n", out, err)
	sorter := exec.Command("sort", "-r")
	sorter.Stdin = strings.NewReader("a\nc\nb\n")
	text, err := sorter.Output()
	fmt.Printf("%q %v\n", text, err)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	err = exec.CommandContext(ctx, "sleep", "30").Run()
	fmt.Println(err, ctx.Err())
	_, err = exec.LookPath("no-such-command")
	fmt.Println(errors.Is(err, exec.ErrNotFound))
	var group sync.WaitGroup
	var total int64
	for i := 0; i < 4; i++ {
		group.Add(1)
		go func(i int) {
			defer group.Done()
			out, _ := exec.Command("expr", fmt.Sprint(i), "*", "10").Output()
			var n int64
			fmt.Fscan(bytes.NewReader(out), &n)
			atomic.AddInt64(&total, n)
		}(i)
	}
	group.Wait()
	fmt.Println("expressions", total)
}

func main() {
	numbers := make(chan int)
	go func() {
		for i := 0; i < 1000; i++ {
			numbers <- i
		}
		close(numbers)
	}()
	sum := 0
	for n := range squares(squares(numbers)) {
		sum += n % 1000
	}
	fmt.Println("pipeline", sum)

	var lock sync.Mutex
	var group sync.WaitGroup
	counts := map[int]int{}
	for w := 0; w < 50; w++ {
		group.Add(1)
		go func(w int) {
			defer group.Done()
			for i := 0; i < 40; i++ {
				lock.Lock()
				counts[i%7]++
				lock.Unlock()
				runtime.Gosched()
			}
		}(w)
	}
	group.Wait()
	fmt.Println(counts)

	ticker, deadline := time.NewTicker(3*time.Millisecond), time.After(5*time.Second)
	for ticks := 0; ticks < 4; {
		select {
		case <-ticker.C:
			ticks++
		case <-deadline:
			fmt.Println("too late")
			ticks = 4
		}
	}
	ticker.Stop()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { <-ctx.Done(); ended <- ctx.Err() }()
	cancel()
	fmt.Println(<-ended)

	nodes := 0
	for i := 0; i < 6; i++ {
		nodes += tree(14).count()
	}
	runtime.GC()
	fmt.Println("nodes", nodes)
	fmt.Printf("%x\n", sha256.Sum256(bytes.Repeat([]byte("go"), 300000)))

	people := []person{{"Ann", 30, map[string]string{"b": "2", "a": "1"}}, {"Bob", 0, nil}}
	text, _ := json.Marshal(people)
	var back []person
	fmt.Println(string(text), json.Unmarshal(text, &back), back[0].Tags["a"], json.Unmarshal([]byte("{"), &back))
	words := regexp.MustCompile(`\b[a-z]{3,}\b`).FindAllString("the quick brown fox is an animal", -1)
	sort.Slice(words, func(i, j int) bool { return len(words[i]) > len(words[j]) || len(words[i]) == len(words[j]) && words[i] < words[j] })
	fmt.Println(words)

	folder, _ := os.MkdirTemp(".", "made")
	file, _ := os.Create(filepath.Join(folder, "file"))
	for i := 0; i < 500; i++ {
		fmt.Fprintln(file, i)
	}
	file.Close()
	file, _ = os.Open(filepath.Join(folder, "file"))
	scanner, lines := bufio.NewScanner(file), 0
	for scanner.Scan() {
		lines++
	}
	_, err := os.Stat(filepath.Join(folder, "none"))
	fmt.Println(lines, errors.Is(err, os.ErrNotExist), os.RemoveAll(folder))
	commands()

	caught := make(chan os.Signal, 4)
	signal.Notify(caught, syscall.SIGUSR1, syscall.SIGTERM)
	syscall.Kill(os.Getpid(), syscall.SIGUSR1)
	fmt.Println(<-caught)
	func() {
		defer func() { fmt.Println("recovered:", recover()) }()
		var none *person
		fmt.Println(none.Name)
	}()
	func() {
		defer func() { fmt.Println("recovered:", recover()) }()
		fmt.Println([]int{1}[len(words)])
	}()
	os.Exit(9)
}
