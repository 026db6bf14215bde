#include "net/tls_client_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "net/tls_context.h"
#include "net/turn_budget.h"
#include "tests/support/test_certificates.h"

namespace nightjar::net {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

const test_support::TestCertificates& files() {
  static const test_support::TestCertificates kMade;
  return kMade;
}

// A client's end and a server's, with the bytes going back and forth in pieces.
struct StreamPair {
  explicit StreamPair(std::shared_ptr<const TlsClientContext> context, SSL_SESSION* ticket = nullptr,
                      std::shared_ptr<TlsContext> served = serve())
      : client(std::move(context), ticket), server(make_tls_filter(std::move(served), PeerAddress{})) {
    client.begin(to_server);
  }

  static std::shared_ptr<TlsContext> serve() {
    static const std::shared_ptr<TlsContext> kContext =
        TlsContext::open({.listener = "secure",
                          .certificates = {{files().path("server.pem"), files().path("server.key")}}})
            .value();
    return kContext;
  }

  // Until neither has anything to say, or the client has failed.
  void run(std::size_t piece = SIZE_MAX) {
    while (error.empty() && !(to_server.empty() && server->wire().empty())) {
      TurnBudget::renew();
      ByteBuffer up;
      up.swap(to_server);
      EXPECT_TRUE(server->receive(up.view()) || is_server_done);
      while (server->has_plain()) at_server += as_text(server->next_plain());
      ByteBuffer down;
      down.swap(server->wire());
      for (ByteView rest = down.view(); error.empty() && !rest.empty();) {
        const ByteView part = rest.first(std::min(piece, rest.size()));
        receive(part);
        rest = rest.subspan(part.size());
      }
    }
  }
  void receive(ByteView wire) {
    // One byte behind what may be written to.
    std::vector<std::byte> plain(wire.size() + TlsClientStream::kHeldBytesMax + 1, std::byte{'!'});
    const auto count = client.receive(wire, plain.data(), to_server);
    if (!count) {
      error = count.error().message;
      return;
    }
    EXPECT_EQ(plain.back(), std::byte{'!'});
    at_client += as_text(ByteView(plain).first(*count));
  }

  TlsClientStream client;
  std::unique_ptr<StreamFilter> server;
  ByteBuffer to_server;
  std::string at_server;
  std::string at_client;
  std::string error;
  bool is_server_done = false;  // it said its farewell, and takes nothing more
};

TlsClientSettings settings() { return {.host = "localhost", .authorities = files().path("ca.pem")}; }
std::shared_ptr<const TlsClientContext> context(const TlsClientSettings& asked = settings()) {
  return TlsClientContext::open(asked).value();
}

TEST(TlsClientStream, CarriesBothDirectionsHoweverTheyAreCut) {
  const std::string large(70'000, 'x');
  for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, std::size_t{5000}, SIZE_MAX}) {
    StreamPair pair(context());
    pair.run(piece);
    ASSERT_TRUE(pair.client.is_open()) << pair.error;
    pair.client.send(as_bytes(large), pair.to_server);
    pair.server->send(as_bytes(large));
    pair.run(piece);
    EXPECT_EQ(pair.at_server, large);
    EXPECT_EQ(pair.at_client, large);
  }
}

TEST(TlsClientStream, SaysWhatIsSpoken) {
  StreamPair pair(context());
  EXPECT_FALSE(pair.client.is_open());
  pair.run();
  EXPECT_THAT(pair.client.suite(), HasSubstr("TLSv1.3 TLS_"));
  EXPECT_FALSE(pair.client.is_resumed());
}

TEST(TlsClientStream, ResumesASessionWithItsTicket) {
  TlsClientSettings asked = settings();
  asked.keeps_tickets = true;
  const auto kept = context(asked);
  StreamPair first(kept);
  first.run();
  SslSessionPtr ticket = first.client.take_ticket();
  ASSERT_TRUE(ticket);
  for (int i = 0; i < 2; ++i) {
    StreamPair again(kept, ticket.get());
    again.run();
    EXPECT_TRUE(again.client.is_resumed());
    ticket = again.client.take_ticket();
    ASSERT_TRUE(ticket);
  }
}

TEST(TlsClientStream, KeepsNoTicketUnlessAsked) {
  StreamPair pair(context());
  pair.run();
  EXPECT_FALSE(pair.client.take_ticket());
}

TEST(TlsClientStream, TrustsOnlyWhomItWasTold) {
  TlsClientSettings asked = settings();
  asked.host = "other.example";
  StreamPair wrong_name(context(asked));
  wrong_name.run();
  EXPECT_THAT(wrong_name.error, HasSubstr("its certificate is not for \"other.example\""));
  asked = {.host = "localhost"};
  StreamPair unknown(context(asked));
  unknown.run();
  EXPECT_THAT(unknown.error, HasSubstr("name its authority with --cafile FILE"));
  asked.checks_server = false;
  StreamPair insecure(context(asked));
  insecure.run();
  EXPECT_TRUE(insecure.client.is_open());
}

TEST(TlsClientStream, TellsThatTheOtherEndSpeaksSomethingElse) {
  StreamPair pair(context());
  pair.receive(as_bytes("HTTP/1.1 400 Bad Request\r\n"));
  EXPECT_THAT(pair.error, HasSubstr("does not speak TLS on this port"));
}

TEST(TlsClientStream, TheFarewellOfTheServerIsNoFailure) {
  StreamPair pair(context());
  pair.run();
  pair.server->send(as_bytes("bye"));
  pair.server->finish();
  pair.is_server_done = true;
  pair.run();
  EXPECT_EQ(pair.at_client, "bye");
  EXPECT_THAT(pair.error, IsEmpty());
}

TEST(TlsClientContext, NamesTheFileThatIsWrong) {
  TlsClientSettings asked = settings();
  asked.certificate = files().path("client.pem");
  asked.key = files().path("client2.key");
  const auto opened = TlsClientContext::open(asked);
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error().message, HasSubstr("client2.key does not belong to the certificate"));
}

}  // namespace
}  // namespace nightjar::net
