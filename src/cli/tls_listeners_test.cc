#include "cli/tls_listeners.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "base/log.h"
#include "config/load.h"
#include "tests/support/test_certificates.h"

namespace nightjar::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr std::int64_t kDay = 24 * 3600;

std::vector<std::string>& lines() {
  static std::vector<std::string> lines;
  return lines;
}

struct TlsListenersTest : testing::Test {
  TlsListenersTest() {
    lines().clear();
    log::set_sink([](log::Level, std::string_view message, std::span<const log::Field>) {
      lines().emplace_back(message);
    });
  }
  ~TlsListenersTest() override { log::set_sink(nullptr); }

  static config::Config config_of(const std::string& text) {
    auto config = config::load_text(text, "nightjar.toml");
    if (config) return *config;
    ADD_FAILURE() << config.error().front();
    return {};
  }
  [[nodiscard]] std::string pair(const std::string& name) const {
    return "certificate = \"" + files.path(name + ".pem") + "\"\nkey = \"" + files.path(name + ".key") +
           "\"\n";
  }
  [[nodiscard]] config::Config secure(const std::string& keys = "") const {
    return config_of(
        "[[listener]]\nname = \"plain\"\n[[listener]]\nname = \"secure\"\nport = 8883\n[listener.tls]\n" +
        pair("server") + keys);
  }
  static std::unique_ptr<TlsListeners> open(const config::Config& config) {
    auto listeners = TlsListeners::open(config, {});
    if (listeners) return std::move(*listeners);
    ADD_FAILURE() << listeners.error().message;
    return nullptr;
  }
  static std::string problem(const config::Config& config) {
    auto listeners = TlsListeners::open(config, {});
    return listeners ? "" : listeners.error().message;
  }
  // Replaces a file as `nightjar tls renew` does: another inode, however coarse the clock of the file system
  // is.
  void replace(const std::string& name, const std::string& text) const {
    files.write_text(name + ".new", text);
    std::filesystem::rename(files.path(name + ".new"), files.path(name));
  }
  void replace(const std::string& name, const net::PemPair& made) const {
    replace(name + ".key", made.key);
    replace(name + ".pem", made.certificate);
  }
  [[nodiscard]] net::PemPair new_server() const {
    return files.issue({.common_name = "localhost", .names = {"localhost"}, .is_server = true});
  }

  test_support::TestCertificates files;
};

// ---- settings ----

TEST_F(TlsListenersTest, EveryKeyReachesTheNetworkSide) {
  const config::Config config =
      config_of("[[listener]]\nname = \"s\"\nprotocol = \"auto\"\n[listener.tls]\n" + pair("server") +
                "profile = \"plc\"\nmin_version = \"1.3\"\nmax_version = \"1.3\"\nciphers = "
                "\"a\"\nciphers_tls13 = \"b\"\ndh_params = "
                "\"c\"\nclient_certificate = \"optional\"\nclient_ca = \"d\"\nclient_ca_dir = \"e\"\ncrl = "
                "\"f\"\npsk_file = \"g\"\n"
                "psk_hint = \"h\"\n[[listener.tls.more]]\n" +
                pair("other"));
  const net::TlsSettings settings = tls_settings(config.listeners.at(0));
  EXPECT_EQ(settings.listener, "s");
  ASSERT_THAT(settings.certificates, SizeIs(2));
  EXPECT_EQ(settings.certificates[0].key, files.path("server.key"));
  EXPECT_EQ(settings.certificates[1].certificate, files.path("other.pem"));
  EXPECT_EQ(settings.min_version, net::TlsProtocolVersion::kTls13);
  EXPECT_EQ(settings.max_version, net::TlsProtocolVersion::kTls13);
  EXPECT_TRUE(settings.serves_controllers);
  EXPECT_TRUE(settings.speaks_websocket);
  EXPECT_EQ(settings.client_certificate, net::TlsClientCertificate::kOptional);
  EXPECT_THAT((std::vector{settings.ciphers, settings.ciphers_tls13, settings.dh_params, settings.client_ca,
                           settings.client_ca_dir, settings.crl, settings.psk_file, settings.psk_hint}),
              ElementsAre("a", "b", "c", "d", "e", "f", "g", "h"));
}

TEST_F(TlsListenersTest, OnlyListenersWithTlsHaveAFilter) {
  const config::Config config = secure();
  const auto listeners = open(config);
  EXPECT_FALSE(listeners->empty());
  EXPECT_FALSE(listeners->filter_of(config.listeners[0]));
  ASSERT_TRUE(listeners->filter_of(config.listeners[1]));
  EXPECT_NE(listeners->filter_of(config.listeners[1])({}), nullptr);
  EXPECT_TRUE(open(config_of("[[listener]]\nname = \"plain\"\n"))->empty());
}

TEST_F(TlsListenersTest, AWrongFileIsNamedWithItsPlace) {
  EXPECT_THAT(problem(secure("crl = \"/nowhere.pem\"\n")),
              HasSubstr("nightjar.toml:9:7: \"crl\" in [listener.secure.tls]: cannot read /nowhere.pem"));
  EXPECT_THAT(problem(secure("[[listener.tls.more]]\ncertificate = \"" + files.path("other.pem") +
                             "\"\nkey = \"" + files.path("server.key") + "\"\n")),
              HasSubstr("nightjar.toml:11:7: \"key\" in [listener.secure.tls.more]: the key in"));
}

// ---- files that change ----

TEST_F(TlsListenersTest, ANewPairIsServedOnceItFits) {
  const auto listeners = open(secure());
  const std::string before = listeners->certificates(0).at(0).facts.serial;
  EXPECT_FALSE(listeners->look_at_files());
  const net::PemPair made = new_server();
  replace("server.key", made.key);
  EXPECT_FALSE(listeners->look_at_files()) << "the certificate is still the old one";
  EXPECT_THAT(lines(), IsEmpty()) << "it may be on its way";
  replace("server.pem", made.certificate);
  EXPECT_TRUE(listeners->look_at_files());
  EXPECT_NE(listeners->certificates(0).at(0).facts.serial, before);
  EXPECT_THAT(lines(), ElementsAre(HasSubstr("files have changed and are served now")));
  EXPECT_FALSE(listeners->look_at_files());
}

TEST_F(TlsListenersTest, ABadPairKeepsTheOldOneAndIsToldOnce) {
  const auto listeners = open(secure());
  const auto before = listeners->snapshots();
  replace("server.key", files.read("other.key"));
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(listeners->look_at_files());
  EXPECT_EQ(listeners->snapshots(), before);
  EXPECT_THAT(lines(), ElementsAre(HasSubstr("what was read before stays: the key in")));
  replace("server", new_server());
  EXPECT_TRUE(listeners->look_at_files());
  EXPECT_NE(listeners->snapshots(), before);
}

TEST_F(TlsListenersTest, ARevocationListIsWatchedToo) {
  const auto listeners =
      open(secure("client_certificate = \"required\"\nclient_ca = \"" + files.path("ca.pem") +
                  "\"\ncrl = \"" + files.path("none.crl") + "\"\n"));
  const auto before = listeners->snapshots().at("secure");
  EXPECT_TRUE(before->has_crls());
  files.revoke("client");
  replace("none.crl", files.read("revoked.crl"));
  EXPECT_TRUE(listeners->look_at_files());
  EXPECT_NE(listeners->snapshots().at("secure"), before);
}

// ---- the end of a certificate ----

TEST_F(TlsListenersTest, DaysLeftAreThoseOfEachCertificate) {
  const auto listeners = open(secure("[[listener.tls.more]]\n" + pair("other")));
  const std::int64_t end = listeners->certificates(0).at(0).facts.valid_until_s;
  const auto served = listeners->certificates(end - 12 * kDay);
  ASSERT_THAT(served, SizeIs(2));
  EXPECT_EQ(served[0].listener, "secure");
  EXPECT_EQ(served[0].facts.file, files.path("server.pem"));
  EXPECT_EQ(served[0].days_left, 12);
  EXPECT_EQ(served[1].facts.file, files.path("other.pem"));
  EXPECT_LT(listeners->certificates(end + 2 * kDay)[0].days_left, 0);
}

// The clock runs from 40 days before the end until 3 days behind it.
TEST_F(TlsListenersTest, TheLogWarnsAt30And7And1Days) {
  const auto listeners = open(secure());
  const std::int64_t end = listeners->certificates(0).at(0).facts.valid_until_s;
  for (std::int64_t now = end - 40 * kDay; now < end + 3 * kDay; now += kDay / 4)
    listeners->warn_about_expiry(now);
  EXPECT_THAT(lines(), ElementsAre(HasSubstr("expires in 29 days: renew it"), HasSubstr("expires in 6 days"),
                                   HasSubstr("expires in 0 days")));
  lines().clear();
  replace("server", new_server());
  EXPECT_TRUE(listeners->look_at_files());
  listeners->warn_about_expiry(end - 5 * kDay);
  EXPECT_THAT(lines(), ElementsAre(HasSubstr("are served now"), HasSubstr("expires in")))
      << "another certificate is warned about anew";
}

}  // namespace
}  // namespace nightjar::cli
