// SPDX-License-Identifier: MIT
//
// C++: exceptions through many frames, virtual functions, containers, threads with futures, streams, destructors.

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <fstream>
#include <functional>
#include <future>
#include <iomanip>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <numeric>
#include <regex>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

struct Noisy {
  static inline int alive = 0;
  Noisy() { alive++; }
  Noisy(const Noisy &) { alive++; }
  ~Noisy() { alive--; }
};

static int deep(int depth) {
  Noisy here;
  if (depth == 0) throw std::out_of_range("the bottom");
  return deep(depth - 1) + 1;
}

struct Shape {
  virtual ~Shape() = default;
  virtual double area() const = 0;
};
struct Disc : Shape {
  double r;
  explicit Disc(double radius) : r(radius) {}
  double area() const override { return 3.14159265358979 * r * r; }
};
struct Box : Shape {
  double a, b;
  Box(double width, double height) : a(width), b(height) {}
  double area() const override { return a * b; }
};

template <typename T> class Channel {
  std::deque<T> items;
  std::mutex lock;
  std::condition_variable changed;
  bool closed = false;

public:
  void send(T item) {
    std::lock_guard guard(lock);
    items.push_back(std::move(item));
    changed.notify_one();
  }
  void close() {
    std::lock_guard guard(lock);
    closed = true;
    changed.notify_all();
  }
  bool receive(T &item) {
    std::unique_lock guard(lock);
    changed.wait(guard, [this] { return closed || !items.empty(); });
    if (items.empty()) return false;
    item = std::move(items.front());
    items.pop_front();
    return true;
  }
};

int main() {
  int caught = 0;
  for (int i = 0; i < 200; i++) {
    try {
      deep(i % 50);
    } catch (const std::logic_error &error) {
      caught += std::string(error.what()) == "the bottom";
    }
  }
  std::cout << "caught " << caught << ", alive " << Noisy::alive << '\n';
  try {
    try {
      std::vector<int>().at(3);
    } catch (...) {
      std::throw_with_nested(std::runtime_error("outer"));
    }
  } catch (const std::exception &error) {
    try {
      std::rethrow_if_nested(error);
    } catch (const std::out_of_range &) {
      std::cout << error.what() << " holds an out_of_range\n";
    }
  }
  std::vector<std::unique_ptr<Shape>> shapes;
  for (int i = 1; i < 20; i++)
    shapes.push_back(i % 2 ? std::unique_ptr<Shape>(new Disc(i)) : std::make_unique<Box>(i, i + 1));
  std::cout << std::fixed << std::setprecision(3)
            << std::accumulate(shapes.begin(), shapes.end(), 0.0, [](double sum, auto &shape) { return sum + shape->area(); }) << '\n';
  std::map<std::string, int> counts;
  std::istringstream text("the cat and the dog and the bird");
  for (std::string word; text >> word;) counts[word]++;
  for (auto &[word, count] : counts) std::cout << word << '=' << count << ' ';
  std::unordered_map<int, std::set<int>> groups;
  for (int i = 0; i < 20000; i++) groups[i * 7919 % 101].insert(i % 37);
  std::cout << groups.size() << ' ' << groups[50].size() << '\n';
  std::string pages = "a12 b345 c6";
  std::cout << std::regex_replace(pages, std::regex("([a-z])(\\d+)"), "$2$1") << '\n';

  Channel<int> channel;
  std::vector<std::future<long>> workers;
  for (int i = 0; i < 3; i++)
    workers.push_back(std::async(std::launch::async, [&channel] {
      long sum = 0;
      for (int item; channel.receive(item);) sum += item;
      return sum;
    }));
  for (int i = 0; i < 1000; i++) channel.send(i);
  channel.close();
  long sum = 0;
  for (auto &worker : workers) sum += worker.get();
  std::cout << "workers " << sum << '\n';
  auto broken = std::async(std::launch::async, []() -> int { throw std::runtime_error("from a thread"); });
  try {
    broken.get();
  } catch (const std::exception &error) {
    std::cout << error.what() << '\n';
  }
  std::once_flag once;
  int calls = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; i++) threads.emplace_back([&] { std::call_once(once, [&] { calls++; }); });
  for (auto &thread : threads) thread.join();
  std::promise<int> promise;
  auto future = promise.get_future();
  std::cout << "calls " << calls << ", early " << (future.wait_for(std::chrono::milliseconds(2)) == std::future_status::ready);
  promise.set_value(42);
  std::cout << ", value " << future.get() << '\n';
  std::ofstream("file") << "line one\nline two\n" << 3.5;
  std::ifstream file("file");
  std::string line, last;
  while (std::getline(file, line)) last = line;
  std::cout << last << ", " << (std::ifstream("none") ? "?" : "no such file") << std::endl;
  throw std::runtime_error("nobody catches this");
}
