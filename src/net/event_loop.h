// Level-triggered epoll for one worker: who is readable or writable, one shared read buffer, and a wake-up
// from other threads. Everything but wake() is called by the thread that runs the loop (or before it starts).
#pragma once

#include <sys/epoll.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "base/clock.h"
#include "base/result.h"
#include "net/fd.h"

namespace nightjar::net {

// Something with a file descriptor that the loop watches.
class Pollable {
 public:
  // `events` are EPOLLIN, EPOLLOUT, EPOLLERR, EPOLLHUP.
  virtual void on_events(std::uint32_t events) = 0;

 protected:
  ~Pollable() = default;
};

// One recv takes at most this much, so it also bounds what one connection may bring into a turn.
inline constexpr std::size_t kReadBufferBytes = 64 * 1024;
// Events taken per turn. More wait in the kernel, so that mail and timers never wait for a long list.
inline constexpr std::size_t kEventsPerTurn = 256;

class EventLoop {
 public:
  static Result<std::unique_ptr<EventLoop>> open();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // An object with a mask of 0 still hears EPOLLERR and EPOLLHUP. False if the kernel refuses (out of
  // memory).
  bool add(int fd, std::uint32_t mask, Pollable& object);
  void change(int fd, std::uint32_t mask, Pollable& object);
  // Afterwards the object hears nothing, not even an event that was already taken this turn.
  void remove(int fd, Pollable& object);

  // Sleeps until an event, a wake-up, or `timeout` (negative: for ever). Returns how many events there are.
  std::size_t wait(Duration timeout);
  // Passes on what wait() found.
  void dispatch();

  // Ends a wait() that runs, or the next one. Any thread.
  void wake();

  // Bytes of one recv; their life ends with the event handler that asked.
  [[nodiscard]] std::span<std::byte> read_buffer() { return {buffer_.get(), kReadBufferBytes}; }

 private:
  EventLoop(Fd epoll, Fd wakeup);

  Fd epoll_;
  Fd wakeup_;
  std::unique_ptr<std::byte[]> buffer_;
  std::array<epoll_event, kEventsPerTurn> events_{};
  std::size_t event_count_ = 0;
  std::size_t next_event_ = 0;
};

}  // namespace nightjar::net
