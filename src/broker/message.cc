#include "broker/message.h"

#include <cstring>
#include <new>

#include "base/block_pool.h"

namespace nightjar::broker {

MessageRef Message::make(const Parts& parts) {
  const auto source_size = static_cast<SourceSize>(parts.source.size());
  const std::size_t bytes = parts.topic.size() + parts.properties.size() + parts.payload.size() +
                            (source_size == 0 ? 0 : sizeof source_size + source_size);
  void* memory = BlockPool::local().allocate(sizeof(Message) + bytes);
  auto* message = ::new (memory) Message;
  message->topic_size_ = static_cast<std::uint16_t>(parts.topic.size());
  message->properties_size_ = static_cast<std::uint32_t>(parts.properties.size());
  message->payload_size_ = static_cast<std::uint32_t>(parts.payload.size());
  message->qos_ = parts.qos;
  message->retain_ = parts.retain;
  message->has_source_ = source_size != 0;
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
  if (source_size != 0) {
    put(&source_size, sizeof source_size);
    put(parts.source.data(), source_size);
  }
  return MessageRef{message};
}

std::string_view Message::source() const {
  if (!has_source_) return {};
  SourceSize size = 0;
  const char* at = bytes() + this->size();
  std::memcpy(&size, at, sizeof size);
  return {at + sizeof size, size};
}

void Message::release_ref() {
  // Who holds the only reference need not take it off: nobody else can make another.
  if (references_.load(std::memory_order_acquire) != 1 &&
      references_.fetch_sub(1, std::memory_order_acq_rel) != 1)
    return;
  const std::size_t bytes =
      sizeof(Message) + size() + (has_source_ ? sizeof(SourceSize) + source().size() : 0);
  this->~Message();
  BlockPool::local().free(this, bytes);
}

}  // namespace nightjar::broker
