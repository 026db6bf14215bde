#include "net/tls_chain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace nightjar::net {
namespace {

using broker::CertificateNumber;
using ::testing::ElementsAreArray;
using ::testing::IsEmpty;

TEST(TlsChain, ATicketTellsTheAuthoritiesInTheirOrder) {
  const std::vector<CertificateNumber> authorities = {
      {.issuer = "CN=North line,O=Plant\\, Example", .serial = "4A0F"},
      {.issuer = "", .serial = "00"},
      {.issuer = "CN=two\\0Alines", .serial = ""},  // as RFC 2253 writes a line feed in a name
  };
  EXPECT_THAT(read_ticket_text(ticket_text(authorities)), ElementsAreArray(authorities));
  EXPECT_THAT(ticket_text({}), IsEmpty());
  EXPECT_THAT(read_ticket_text(""), IsEmpty());
}

TEST(TlsChain, ATicketThatIsNotUnderstoodTellsNothing) {
  for (const char* strange : {"\n", "4A0F\n", "4A0F CN=x", "4A0F CN=x\n12", "4A0F CN=x\n12\nCN y"}) {
    EXPECT_THAT(read_ticket_text(strange), IsEmpty()) << strange;
  }
}

}  // namespace
}  // namespace nightjar::net
