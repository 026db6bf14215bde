#include "store/read_queue.h"

#include <pthread.h>

#include <utility>

#include "broker/mail.h"

namespace nightjar::store {

ReadQueue::ReadQueue(broker::Peers& peers, Serve serve)
    : peers_(peers), serve_(std::move(serve)), thread_([this] { run(); }) {
  pthread_setname_np(thread_.native_handle(), "store reader");
}

ReadQueue::~ReadQueue() {
  {
    const std::lock_guard lock(mutex_);
    is_ending_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void ReadQueue::push(ReadRequest request) {
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(request));
  }
  changed_.notify_one();
}

void ReadQueue::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return is_ending_ || !waiting_.empty(); });
    if (is_ending_) return;
    ReadRequest request = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    auto found = serve_(request);
    peers_.post(request.asker, request.asker,
                broker::task_batch([then = std::move(request.then), found = std::move(found)](
                                       broker::Worker& worker) mutable { then(worker, std::move(found)); }));
    lock.lock();
  }
}

}  // namespace nightjar::store
