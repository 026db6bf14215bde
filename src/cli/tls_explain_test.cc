#include "cli/tls_explain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/pem.h>

#include <string>
#include <utility>

#include "net/tls_authority.h"
#include "net/tls_files.h"
#include "tests/support/test_certificates.h"

namespace nightjar::cli {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr std::int64_t kDay = 24 * 3600;

struct TlsExplainTest : testing::Test {
  // A server's certificate without fault, as a start for others.
  static net::CertificateRequest good() {
    return {.common_name = "localhost",
            .names = {"localhost", "127.0.0.1"},
            .is_server = true,
            .valid_from_s = -kDay,
            .valid_until_s = 300 * kDay};
  }
  std::string file(const std::string& name, const net::CertificateRequest& request) const {
    files.write(name, files.issue(request));
    return files.path(name + ".pem");
  }
  std::vector<std::string> about(const net::CertificateRequest& request,
                                 const std::string& name = "localhost", bool knows_authority = true) const {
    return objections_to(net::read_certificates(file("asked", request)).value(), name,
                         knows_authority ? net::read_certificates(files.path("ca.pem")).value()
                                         : std::vector<net::CertificatePtr>{});
  }
  // What the command prints, and its exit status.
  static std::pair<std::string, int> explain(const ExplainOptions& options) {
    testing::internal::CaptureStdout();
    const auto status = explain_certificate(options);
    std::string printed = testing::internal::GetCapturedStdout();
    return {status ? printed : status.error().message, status.value_or(-1)};
  }

  test_support::TestCertificates files;
};

TEST_F(TlsExplainTest, NobodyObjectsToAGoodOne) {
  EXPECT_THAT(about(good()), IsEmpty());
  EXPECT_THAT(about(good(), "127.0.0.1"), IsEmpty());
  EXPECT_THAT(about(good(), "", false), IsEmpty());
}

TEST_F(TlsExplainTest, DatesAreLookedAt) {
  net::CertificateRequest late = good();
  late.valid_until_s = -3600;
  EXPECT_THAT(about(late), ElementsAre(HasSubstr("it expired on ")));
  net::CertificateRequest soon = good();
  soon.valid_until_s = 10 * kDay + 3600;
  EXPECT_THAT(about(soon), ElementsAre(HasSubstr("it expires in 10 days: renew it soon")));
  net::CertificateRequest early = good();
  early.valid_from_s = kDay;
  EXPECT_THAT(about(early), ElementsAre(HasSubstr("is valid from ")));
}

TEST_F(TlsExplainTest, NamesAreComparedAsClientsDo) {
  EXPECT_THAT(about(good(), "plant.example"),
              ElementsAre(HasSubstr("it is not for \"plant.example\", only for localhost 127.0.0.1")));
  EXPECT_THAT(about(good(), "127.0.0.2"), ElementsAre(HasSubstr("it is not for \"127.0.0.2\"")));
  net::CertificateRequest all = good();
  all.names = {"*.plant.example"};
  EXPECT_THAT(about(all, "north.plant.example"), IsEmpty());
  EXPECT_THAT(about(all, "a.north.plant.example"), ElementsAre(HasSubstr("it is not for")));
  EXPECT_THAT(about(all, ""), ElementsAre(HasSubstr("it has no IP address")));
  net::CertificateRequest none = good();
  none.names = {};
  EXPECT_THAT(about(none), ElementsAre(HasSubstr("clients do not look at the common name any more")));
}

TEST_F(TlsExplainTest, ItMustBeMeantForAServer) {
  net::CertificateRequest client = good();
  client.is_server = false;
  EXPECT_THAT(about(client), Contains(HasSubstr("does not say serverAuth")));
  EXPECT_THAT(explain({.what = files.path("ca.pem")}).first,
              HasSubstr("it is the certificate of an authority"));
}

TEST_F(TlsExplainTest, TheAuthorityMustBeTheOneThatClientsKnow) {
  const net::PemPair other = net::make_authority("Other CA", 300 * kDay).value();
  files.write("strange", net::issue(other, good()).value());
  const auto chain = net::read_certificates(files.path("strange.pem")).value();
  const auto known = net::read_certificates(files.path("ca.pem")).value();
  EXPECT_THAT(objections_to(chain, "localhost", known),
              ElementsAre(testing::AllOf(HasSubstr("does not trust it"),
                                         HasSubstr("its issuer is \"CN=Other CA\""))));
  EXPECT_THAT(objections_to(chain, "localhost", {}), IsEmpty()) << "it was not asked";
}

TEST_F(TlsExplainTest, TheOrderOfAChainCounts) {
  const net::PemPair authority = net::make_authority("Plant CA", 3000 * kDay).value();
  const std::string server = net::issue(authority, good()).value().certificate;
  const auto objections_about = [&](const std::string& text) {
    files.write_text("chain.pem", text);
    return objections_to(net::read_certificates(files.path("chain.pem")).value(), "localhost", {});
  };
  EXPECT_THAT(objections_about(server + authority.certificate), IsEmpty());
  EXPECT_THAT(objections_about(server + files.read("other.pem")),
              Contains(HasSubstr("certificate 1 was not issued by the one behind it (CN=other)")));
}

TEST_F(TlsExplainTest, TheCommandPrintsFactsAndObjections) {
  const std::string path = file("asked", good());
  const auto [text, status] =
      explain({.what = path, .authorities = files.path("ca.pem"), .name = "localhost"});
  EXPECT_EQ(status, 0) << text;
  EXPECT_THAT(
      text,
      HasSubstr("certificate  CN=localhost\nissued by    CN=Test CA\nnames        localhost, 127.0.0.1\n"));
  EXPECT_THAT(text, HasSubstr("elliptic curve with 256 bits"));
  EXPECT_THAT(text, HasSubstr("clients have nothing to object to\n"));
  const auto [wrong, failed] = explain({.what = path, .key = files.path("ca.key"), .name = "plant.example"});
  EXPECT_EQ(failed, 1);
  EXPECT_THAT(wrong, HasSubstr("PROBLEM      it is not for \"plant.example\""));
  EXPECT_THAT(wrong, HasSubstr("PROBLEM      the key in " + files.path("ca.key") + " does not belong to it"));
  EXPECT_THAT(wrong, Not(HasSubstr("nothing to object")));
}

TEST_F(TlsExplainTest, WhatIsNeitherFileNorBrokerIsReadAsAFile) {
  for (const char* what :
       {"nowhere.pem", "host:", ":8883", "host:port", "host:0", "host:65536", "host:123456"}) {
    const auto [text, status] = explain({.what = what});
    EXPECT_EQ(status, -1);
    EXPECT_THAT(text, HasSubstr("cannot read " + std::string(what)));
  }
}

}  // namespace
}  // namespace nightjar::cli
