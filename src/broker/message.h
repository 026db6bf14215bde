// One application message: immutable, one allocation for header, topic, properties and payload, shared by
// reference count. References may be held and dropped on any worker.
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>
#include <utility>

#include "base/bytes.h"
#include "base/clock.h"
#include "broker/ids.h"
#include "mqtt/types.h"

namespace nightjar::broker {

class MessageRef;

class Message {
 public:
  struct Parts {
    std::string_view topic;
    ByteView payload;
    // Encoded 5.0 properties that travel with the message: all of a PUBLISH's but Topic Alias, Message Expiry
    // Interval and Subscription Identifier.
    ByteView properties;
    mqtt::Qos qos = mqtt::Qos::kAtMostOnce;
    bool retain = false;
    MonoTime expires = kNever;
    std::uint64_t origin = 0;  // hash of the publisher's client id, for No Local; 0 for the broker itself
    // Who published it, as message_source.h writes it; empty where nobody will ask (check_retained_source).
    std::string_view source{};
  };
  static MessageRef make(const Parts& parts);

  [[nodiscard]] std::string_view topic() const { return {bytes(), topic_size_}; }
  [[nodiscard]] ByteView properties() const {
    return as_bytes(std::string_view{bytes() + topic_size_, properties_size_});
  }
  [[nodiscard]] ByteView payload() const {
    return as_bytes(std::string_view{bytes() + topic_size_ + properties_size_, payload_size_});
  }
  // Empty if it is not known.
  [[nodiscard]] std::string_view source() const;
  // Topic, properties and payload: what queue limits count.
  [[nodiscard]] std::size_t size() const { return topic_size_ + properties_size_ + payload_size_; }
  [[nodiscard]] std::size_t payload_size() const { return payload_size_; }
  [[nodiscard]] mqtt::Qos qos() const { return qos_; }
  [[nodiscard]] bool retain() const { return retain_; }
  [[nodiscard]] MonoTime expires() const { return expires_; }
  [[nodiscard]] std::uint64_t origin() const { return origin_; }
  // Set once, by the retained store, before the message is routed; 0 if it was not stored there.
  [[nodiscard]] std::uint64_t retained_version() const { return retained_version_; }
  void set_retained_version(std::uint64_t version) { retained_version_ = version; }

 private:
  friend class MessageRef;
  Message() = default;
  ~Message() = default;
  void retain_ref() { references_.fetch_add(1, std::memory_order_relaxed); }
  void release_ref();
  [[nodiscard]] const char* bytes() const { return reinterpret_cast<const char*>(this + 1); }
  // A source stands behind the payload, with its size in front.
  using SourceSize = std::uint32_t;

  std::atomic<std::uint32_t> references_{1};
  std::uint32_t payload_size_ = 0;
  std::uint32_t properties_size_ = 0;
  std::uint16_t topic_size_ = 0;
  mqtt::Qos qos_ = mqtt::Qos::kAtMostOnce;
  bool retain_ : 1 = false;
  bool has_source_ : 1 = false;
  MonoTime expires_ = kNever;
  std::uint64_t origin_ = 0;
  std::uint64_t retained_version_ = 0;
};

// A counted reference; empty by default.
class MessageRef {
 public:
  MessageRef() = default;
  MessageRef(const MessageRef& other) : message_(other.message_) {
    if (message_ != nullptr) message_->retain_ref();
  }
  MessageRef(MessageRef&& other) noexcept : message_(std::exchange(other.message_, nullptr)) {}
  MessageRef& operator=(MessageRef other) noexcept {
    std::swap(message_, other.message_);
    return *this;
  }
  ~MessageRef() {
    if (message_ != nullptr) message_->release_ref();
  }
  explicit operator bool() const { return message_ != nullptr; }
  Message& operator*() const { return *message_; }
  Message* operator->() const { return message_; }
  [[nodiscard]] Message* get() const { return message_; }

 private:
  friend class Message;
  explicit MessageRef(Message* adopted) : message_(adopted) {}
  Message* message_ = nullptr;
};

}  // namespace nightjar::broker
