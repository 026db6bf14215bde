// Two filters as one: the outer is next to the network (TLS), the inner next to the core (WebSocket). Bytes
// are handed from one to the other where they lie. A part that becomes transparent is left out. Lives on its
// connection's worker.
#pragma once

#include <cstdint>
#include <memory>

#include "net/stream_filter.h"

namespace nightjar::net {

class StackedFilter final : public StreamFilter {
 public:
  // What the inner filter answers by itself waits inside it while so much of the outer's output is unsent.
  static constexpr std::size_t kAnswersWaitAbove = 64 * 1024;

  StackedFilter(std::unique_ptr<StreamFilter> outer, std::unique_ptr<StreamFilter> inner);

  [[nodiscard]] bool receive(ByteView wire) override;
  ByteView next_plain() override;
  [[nodiscard]] bool has_plain() const override;
  void send(ByteView plain) override;
  void finish() override;
  ByteBuffer& wire() override;
  [[nodiscard]] bool has_put_off() const override { return outer_->has_put_off() || inner_->has_put_off(); }
  [[nodiscard]] bool is_transparent() const override {
    return outer_->is_transparent() && inner_->is_transparent();
  }
  // The inner filter's, if it has one.
  [[nodiscard]] const broker::PeerProof* proof() const override;
  [[nodiscard]] const PeerAddress* source() const override;

 private:
  // Whom bytes still pass through.
  enum class Path : std::uint8_t { kBoth, kInner, kOuter };

  bool feed_inner();
  void pass_on_wire();
  void leave_out_what_is_transparent();

  std::unique_ptr<StreamFilter> outer_;
  std::unique_ptr<StreamFilter> inner_;
  Path path_ = Path::kBoth;
};

}  // namespace nightjar::net
