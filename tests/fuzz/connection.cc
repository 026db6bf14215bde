// A whole connection to the core. Input: version, whether an accepted CONNECT comes first, size of the
// pieces, then bytes as a client sends them. Whatever they are: the broker answers with valid packets or
// hangs up, its ledger balances, and a client beside it is served, unless its client id was taken over.
#include <algorithm>

#include "fuzz_input.h"
#include "mqtt/reader.h"
#include "tests/support/client.h"
#include "tests/support/world.h"

using namespace nightjar;
using nightjar::fuzz::require;

namespace {

void send_in_pieces(testing::World& world, testing::Wire& wire, ByteView bytes, std::size_t piece) {
  while (!bytes.empty()) {
    const ByteView next = bytes.first(std::min(piece, bytes.size()));
    wire.to_broker.append(next);
    bytes = bytes.subspan(next.size());
    world.settle();
  }
}

void check_answers(testing::Wire& wire, mqtt::Version version) {
  while (!wire.to_client.empty()) {
    const auto next = mqtt::next_frame(wire.to_client.view(), mqtt::kRemainingLengthMax, version);
    require(next.state == mqtt::FrameState::kComplete, "the broker sends whole, valid packets");
    wire.to_client.consume(next.frame.size);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input{data, size};
  const mqtt::Version version = input.version();
  const bool is_connected = input.choice(2) == 1;
  const std::size_t piece = 1 + input.choice(255);
  testing::World world{{.workers = 2}};
  testing::Client neighbour{world, "neighbour"};
  neighbour.connect({});
  neighbour.run();
  neighbour.subscribe("#", mqtt::Qos::kExactlyOnce);
  neighbour.run();
  testing::Client client{world, "client"};
  if (is_connected) {
    client.connect({.version = version, .worker = 1});
    client.run();
    require(client.connack_code == mqtt::ReasonCode::kSuccess, "a valid CONNECT is accepted");
    client.auto_acknowledge = false;
    send_in_pieces(world, client.wire(), input.rest(), piece);
    check_answers(client.wire(), version);
  } else {
    const auto wire = world.dial(1);
    send_in_pieces(world, *wire, input.rest(), piece);
    wire->client_closed = true;
  }
  neighbour.run();
  neighbour.ping();
  neighbour.run();
  const bool was_taken_over = neighbour.disconnect_code == mqtt::ReasonCode::kSessionTakenOver;
  require(neighbour.pings == 1 || was_taken_over, "a client beside it is served");
  for (std::uint16_t worker = 0; worker < world.worker_count(); ++worker) {
    require(world.worker(worker).counters().ledger.imbalance() == 0, "the ledger balances");
  }
  return 0;
}
