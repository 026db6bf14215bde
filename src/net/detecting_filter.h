// Looks at the first bytes of a connection and becomes the filter that they ask for, or none. Lives on its
// connection's worker.
#pragma once

#include <array>
#include <memory>
#include <string>

#include "net/address.h"
#include "net/listener_protocols.h"
#include "net/protocol_choice.h"
#include "net/rare_log_line.h"
#include "net/stream_filter.h"

namespace nightjar::net {

// What all connections of a listener share. Any thread.
struct DetectionRules {
  ListenerProtocols protocols;
  std::shared_ptr<const WebSocketRules> websocket;  // null: not spoken
  // One for each thing that may come, so that the one does not hide the others.
  mutable std::array<RareLogLine, 4> complaints{};
};

class DetectingFilter final : public StreamFilter {
 public:
  enum class Layer : std::uint8_t { kOutside, kInsideTls };

  DetectingFilter(std::shared_ptr<const DetectionRules> rules, Layer layer, const PeerAddress& peer);

  [[nodiscard]] bool receive(ByteView wire) override;
  ByteView next_plain() override;
  [[nodiscard]] bool has_plain() const override;
  void send(ByteView plain) override;
  void finish() override;
  ByteBuffer& wire() override { return chosen_ ? chosen_->wire() : wire_; }
  [[nodiscard]] bool has_put_off() const override { return chosen_ && chosen_->has_put_off(); }
  [[nodiscard]] bool is_transparent() const override;
  [[nodiscard]] const broker::PeerProof* proof() const override {
    return chosen_ ? chosen_->proof() : nullptr;
  }
  [[nodiscard]] const PeerAddress* source() const override { return chosen_ ? chosen_->source() : nullptr; }

 private:
  [[nodiscard]] bool is_spoken(FirstBytes what) const;
  [[nodiscard]] FirstBytes expected() const;
  bool choose(FirstBytes what);
  void complain(FirstBytes what) const;

  std::shared_ptr<const DetectionRules> rules_;  // null: the choice is made
  std::unique_ptr<StreamFilter> chosen_;         // null: none yet, or none needed
  ByteBuffer plain_;                             // bytes from before the choice, and while none is needed
  ByteBuffer wire_;                              // output, where nothing was chosen
  PeerAddress peer_;
  Layer layer_;
};

}  // namespace nightjar::net
