#include "broker/message.h"

#include <cstring>
#include <new>

#include "base/block_pool.h"

namespace nightjar::broker {

MessageRef Message::make(const Parts& parts) {
  const std::size_t bytes = parts.topic.size() + parts.properties.size() + parts.payload.size();
  void* memory = BlockPool::local().allocate(sizeof(Message) + bytes);
  auto* message = ::new (memory) Message;
  message->topic_size_ = static_cast<std::uint16_t>(parts.topic.size());
  message->properties_size_ = static_cast<std::uint32_t>(parts.properties.size());
  message->payload_size_ = static_cast<std::uint32_t>(parts.payload.size());
  message->qos_ = parts.qos;
  message->retain_ = parts.retain;
  message->expires_ = parts.expires;
  message->origin_ = parts.origin;
  char* at = reinterpret_cast<char*>(message + 1);
  const auto put = [&at](const void* from, std::size_t size) {
    if (size != 0) std::memcpy(at, from, size);
    at += size;
  };
  put(parts.topic.data(), parts.topic.size());
  put(parts.properties.data(), parts.properties.size());
  put(parts.payload.data(), parts.payload.size());
  return MessageRef{message};
}

void Message::release_ref() {
  // Who holds the only reference need not take it off: nobody else can make another.
  if (references_.load(std::memory_order_acquire) != 1 &&
      references_.fetch_sub(1, std::memory_order_acq_rel) != 1)
    return;
  const std::size_t bytes = sizeof(Message) + size();
  this->~Message();
  BlockPool::local().free(this, bytes);
}

}  // namespace nightjar::broker
