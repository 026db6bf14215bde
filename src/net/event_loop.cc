#include "net/event_loop.h"

#include <fmt/format.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>

namespace nightjar::net {

Result<std::unique_ptr<EventLoop>> EventLoop::open() {
  Fd epoll{epoll_create1(EPOLL_CLOEXEC)};
  Fd wakeup{eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  if (!epoll || !wakeup) return fail(fmt::format("cannot create an event loop: {}", std::strerror(errno)));
  // Edge-triggered: each write is one event, and nobody needs to read the counter back.
  epoll_event event{.events = EPOLLIN | EPOLLET, .data = {.ptr = nullptr}};
  if (epoll_ctl(epoll.get(), EPOLL_CTL_ADD, wakeup.get(), &event) != 0) {
    return fail(fmt::format("cannot create an event loop: {}", std::strerror(errno)));
  }
  return std::unique_ptr<EventLoop>{new EventLoop(std::move(epoll), std::move(wakeup))};
}

EventLoop::EventLoop(Fd epoll, Fd wakeup)
    : epoll_(std::move(epoll)), wakeup_(std::move(wakeup)), buffer_(new std::byte[kReadBufferBytes]) {}

bool EventLoop::add(int fd, std::uint32_t mask, Pollable& object) {
  epoll_event event{.events = mask, .data = {.ptr = &object}};
  return epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0;
}

void EventLoop::change(int fd, std::uint32_t mask, Pollable& object) {
  epoll_event event{.events = mask, .data = {.ptr = &object}};
  epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event);
}

void EventLoop::remove(int fd, Pollable& object) {
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
  for (std::size_t i = next_event_; i < event_count_; ++i) {
    if (events_[i].data.ptr == &object) events_[i].data.ptr = nullptr;
  }
}

std::size_t EventLoop::wait(Duration timeout) {
  const int timeout_ms =
      timeout.ms < 0 ? -1 : static_cast<int>(std::min<std::int64_t>(timeout.ms, std::int64_t{INT_MAX}));
  const int count = epoll_wait(epoll_.get(), events_.data(), static_cast<int>(events_.size()), timeout_ms);
  event_count_ = count > 0 ? static_cast<std::size_t>(count) : 0;
  next_event_ = 0;
  return event_count_;
}

void EventLoop::dispatch() {
  while (next_event_ < event_count_) {
    const epoll_event event = events_[next_event_++];
    if (event.data.ptr != nullptr) static_cast<Pollable*>(event.data.ptr)->on_events(event.events);
  }
  event_count_ = next_event_ = 0;
}

void EventLoop::wake() {
  const std::uint64_t one = 1;
  // The only failure is a full counter, and then the loop is awake already.
  [[maybe_unused]] const ssize_t written = ::write(wakeup_.get(), &one, sizeof one);
}

}  // namespace nightjar::net
