#include "cli/tls_plant.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/x509v3.h>

#include <ctime>
#include <filesystem>

#include "net/tls_certificate.h"
#include "net/tls_files.h"
#include "net/tls_snapshot.h"
#include "tests/support/temp_dir.h"

namespace nightjar::cli {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr std::int64_t kDay = 24 * 3600;

struct TlsPlantTest : testing::Test {
  TlsPlant make(const TlsPlant::Names& names = {.server = {"plant.example", "10.0.0.5"},
                                                .clients = {"pump7"}}) const {
    return TlsPlant::make(directory(), names).value();
  }
  [[nodiscard]] std::filesystem::path directory() const { return temp.path() / "pki"; }
  [[nodiscard]] net::CertificatePtr certificate(const std::string& file) const {
    return std::move(net::read_certificates((directory() / file).string()).value().front());
  }
  [[nodiscard]] std::string serial(const std::string& file) const {
    return net::text_of(X509_get0_serialNumber(certificate(file).get()));
  }
  [[nodiscard]] bool is_issued_by_authority(const std::string& file) const {
    return X509_check_issued(certificate("ca.pem").get(), certificate(file).get()) == X509_V_OK;
  }
  [[nodiscard]] bool fits(const std::string& name) const {
    const auto key = net::read_private_key((directory() / (name + ".key")).string()).value();
    return X509_check_private_key(certificate(name + ".pem").get(), key.get()) == 1;
  }
  [[nodiscard]] bool is_for_others(const std::string& file) const {
    const auto mode = std::filesystem::status(directory() / file).permissions();
    return (mode & (std::filesystem::perms::group_all | std::filesystem::perms::others_all)) !=
           std::filesystem::perms::none;
  }
  // Days until it ends.
  [[nodiscard]] std::int64_t days(const std::string& file) const {
    const std::int64_t until = net::seconds_of(X509_get0_notAfter(certificate(file).get()));
    return (until - std::time(nullptr) + kDay / 2) / kDay;
  }
  // A listener that asks for this plant's clients by its list.
  [[nodiscard]] bool is_revoked(const net::CertificatePtr& asked) const {
    const auto file = [&](const char* name) { return (directory() / name).string(); };
    const auto snapshot = net::TlsSnapshot::open({.certificates = {{file("server.pem"), file("server.key")}},
                                                  .client_certificate = net::TlsClientCertificate::kRequired,
                                                  .client_ca = file("ca.pem"),
                                                  .crl = file("crl.pem")});
    return snapshot.value()->is_revoked(*net::proof_of(asked.get()));
  }

  test_support::TempDir temp;
};

// ---- making ----

TEST_F(TlsPlantTest, HasWhatABrokerAndItsClientsNeed) {
  const TlsPlant plant = make();
  EXPECT_TRUE(X509_check_ca(certificate("ca.pem").get()) == 1);
  for (const std::string name : {"server", "client-pump7"}) {
    EXPECT_TRUE(is_issued_by_authority(name + ".pem")) << name;
    EXPECT_TRUE(fits(name)) << name;
  }
  const net::CertificatePtr server = certificate("server.pem");
  EXPECT_EQ(X509_check_host(server.get(), "plant.example", 0, 0, nullptr), 1);
  EXPECT_EQ(X509_check_ip_asc(server.get(), "10.0.0.5", 0), 1);
  EXPECT_EQ(X509_check_purpose(server.get(), X509_PURPOSE_SSL_SERVER, 0), 1);
  const net::CertificatePtr client = certificate("client-pump7.pem");
  EXPECT_EQ(net::common_name(client.get()), "pump7");
  EXPECT_EQ(X509_check_purpose(client.get(), X509_PURPOSE_SSL_CLIENT, 0), 1);
  EXPECT_NE(X509_check_purpose(client.get(), X509_PURPOSE_SSL_SERVER, 0), 1) << "a client is no broker";
  EXPECT_THAT(plant.clients(), ElementsAre("pump7"));
  EXPECT_FALSE(is_revoked(client));
}

TEST_F(TlsPlantTest, KeysAreForTheirOwnerOnly) {
  make();
  for (const char* key : {"ca.key", "server.key", "client-pump7.key"})
    EXPECT_FALSE(is_for_others(key)) << key;
  for (const char* open : {"ca.pem", "server.pem", "crl.pem"}) EXPECT_TRUE(is_for_others(open)) << open;
}

TEST_F(TlsPlantTest, CertificatesEndWhenClientsOfTodayWantThemTo) {
  make();
  EXPECT_EQ(days("ca.pem"), 3650);
  EXPECT_EQ(days("server.pem"), 397);
  EXPECT_EQ(days("client-pump7.pem"), 825);
}

TEST_F(TlsPlantTest, AnAuthorityIsNotReplaced) {
  make();
  const auto again = TlsPlant::make(directory(), {.server = {"plant.example"}});
  ASSERT_FALSE(again.has_value());
  EXPECT_THAT(again.error().message, HasSubstr("has an authority already; \"nightjar tls renew"));
}

TEST_F(TlsPlantTest, ANameThatIsNoFilesNameIsRefused) {
  for (const char* name : {"", "../pump", ".hidden", "a/b", "new\nline"}) {
    const auto made = TlsPlant::make(directory(), {.server = {"plant.example"}, .clients = {name}});
    ASSERT_FALSE(made.has_value()) << name;
    EXPECT_THAT(made.error().message, HasSubstr("cannot be a client's name"));
  }
  EXPECT_FALSE(std::filesystem::exists(directory())) << "nothing was made";
}

TEST_F(TlsPlantTest, KeysOfControllersAreRsaForClientsThatComeLaterToo) {
  TlsPlant plant = make({.server = {"10.0.0.5"}, .key_kind = net::KeyKind::kRsa2048});
  ASSERT_TRUE(plant.add_client("plc").has_value());
  for (const char* file : {"ca.pem", "server.pem", "client-plc.pem"}) {
    EXPECT_EQ(EVP_PKEY_get_base_id(X509_get0_pubkey(certificate(file).get())), EVP_PKEY_RSA) << file;
  }
}

// ---- later ----

TEST_F(TlsPlantTest, ClientsAreAddedOnce) {
  make();
  TlsPlant plant = TlsPlant::open(directory()).value();
  ASSERT_TRUE(plant.add_client("pump8").has_value());
  EXPECT_THAT(plant.clients(), ElementsAre("pump7", "pump8"));
  EXPECT_TRUE(fits("client-pump8"));
  const auto again = plant.add_client("pump8");
  ASSERT_FALSE(again.has_value());
  EXPECT_THAT(again.error().message, HasSubstr("is there already"));
}

TEST_F(TlsPlantTest, ADirectoryWithoutAnAuthorityIsNone) {
  const auto plant = TlsPlant::open(temp.path());
  ASSERT_FALSE(plant.has_value());
  EXPECT_THAT(plant.error().message, HasSubstr("ca.pem"));
}

TEST_F(TlsPlantTest, OnlyWhatEndsInTimeIsRenewed) {
  TlsPlant plant = make();
  EXPECT_THAT(plant.renew(60).value(), IsEmpty());
  const std::string client = serial("client-pump7.pem");
  EXPECT_THAT(plant.renew(400).value(), ElementsAre(EndsWith("server.pem")));
  EXPECT_EQ(serial("client-pump7.pem"), client);
  EXPECT_THAT(plant.renew(1000).value(), SizeIs(2));
}

TEST_F(TlsPlantTest, ARenewedCertificateHasTheSameNamesAndAnotherNumber) {
  TlsPlant plant = make();
  const std::string before = serial("server.pem");
  ASSERT_TRUE(plant.renew(1000).has_value());
  const net::CertificatePtr server = certificate("server.pem");
  EXPECT_NE(serial("server.pem"), before);
  EXPECT_EQ(net::common_name(server.get()), "plant.example");
  const net::AlternativeNames names = net::alternative_names(server.get());
  EXPECT_THAT(names.dns, ElementsAre("plant.example"));
  EXPECT_THAT(names.ip, ElementsAre("10.0.0.5"));
  EXPECT_TRUE(fits("server"));
  EXPECT_TRUE(is_issued_by_authority("server.pem"));
  EXPECT_EQ(net::common_name(certificate("client-pump7.pem").get()), "pump7");
}

TEST_F(TlsPlantTest, TheListKeepsEveryoneWhoWasEverRevoked) {
  TlsPlant plant = make({.server = {"plant.example"}, .clients = {"pump7", "pump8", "pump9"}});
  const net::CertificatePtr seven = certificate("client-pump7.pem");
  const net::CertificatePtr eight = certificate("client-pump8.pem");
  const net::CertificatePtr nine = certificate("client-pump9.pem");
  ASSERT_TRUE(plant.revoke("pump7").has_value());
  ASSERT_TRUE(TlsPlant::open(directory()).value().revoke("pump8").has_value());
  EXPECT_TRUE(is_revoked(seven));
  EXPECT_TRUE(is_revoked(eight));
  EXPECT_FALSE(is_revoked(nine));
  EXPECT_THAT(plant.clients(), ElementsAre("pump9"));
  EXPECT_FALSE(std::filesystem::exists(directory() / "client-pump7.key"));
  EXPECT_FALSE(plant.revoke("pump7").has_value()) << "it is gone";
}

TEST_F(TlsPlantTest, ARevokedNameMayBeGivenAgain) {
  TlsPlant plant = make();
  const net::CertificatePtr old = certificate("client-pump7.pem");
  ASSERT_TRUE(plant.revoke("pump7").has_value());
  ASSERT_TRUE(plant.add_client("pump7").has_value());
  EXPECT_TRUE(is_revoked(old));
  EXPECT_FALSE(is_revoked(certificate("client-pump7.pem")));
}

}  // namespace
}  // namespace nightjar::cli
