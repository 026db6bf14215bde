#include "auth/file_auth.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <optional>
#include <string>

#include "auth/file_rules.h"
#include "tests/support/world.h"

namespace nightjar::auth {
namespace {

using broker::AuthVerdict;
using mqtt::ReasonCode;
using ::testing::HasSubstr;

// Files of one test.
class Folder {
 public:
  Folder() : path_(std::filesystem::temp_directory_path() / ("nightjar-auth-" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(path_);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string file(const std::string& name, const std::string& text) const {
    std::ofstream(path_ / name, std::ios::binary) << text;
    return (path_ / name).string();
  }

 private:
  std::filesystem::path path_;
};

std::string line(const std::string& user, const std::string& password) {
  return user + ":" + *hash_password(HashKind::kSha512, password) + "\n";
}

// A broker's authentication with one listener "tls"; the pool's answers are waited for.
struct Door {
  explicit Door(AccessSettings settings)
      : Door(std::vector<AccessSettings>{with_name(std::move(settings))}) {}
  explicit Door(const std::vector<AccessSettings>& listeners) : access(*Access::load(listeners)) {}

  static AccessSettings with_name(AccessSettings settings) {
    settings.listener = "tls";
    return settings;
  }

  AuthVerdict enter(broker::AuthRequest request) {
    std::promise<std::function<void()>> posted;
    post = [&posted](std::function<void()> task) { posted.set_value(std::move(task)); };
    request.listener = "tls";
    request.peer = "192.0.2.1:1";
    std::optional<AuthVerdict> verdict;
    const auto exchange = auth.open("");
    exchange->start(request, [&](AuthVerdict given) { verdict = std::move(given); });
    if (!verdict) posted.get_future().get()();
    return verdict.value_or(AuthVerdict{.reason = "no answer"});
  }
  AuthVerdict login(std::string_view user, std::string_view password, bool allows_anonymous = false) {
    return enter({.client_id = "c",
                  .has_user_name = true,
                  .user_name = user,
                  .has_password = true,
                  .password = as_bytes(password),
                  .listener_allows_anonymous = allows_anonymous});
  }

  testing::FakeClock clock;
  std::function<void(std::function<void()>)> post;
  AccessInForce access;
  LoginDesk desk{clock, [this](broker::WorkerIndex, std::function<void()> task) { post(std::move(task)); },
                 1};
  FileAuth auth{access, desk};
};

// ---- without files ----

TEST(FileAuth, WithoutFilesAnonymousClientsEnterWhereTheyMay) {
  Door door{AccessSettings{}};
  EXPECT_EQ(door.enter({.listener_allows_anonymous = true}).kind, AuthVerdict::Kind::kAllow);
  const AuthVerdict named = door.login("admin", "x", true);
  EXPECT_EQ(named.kind, AuthVerdict::Kind::kAllow);
  EXPECT_EQ(named.user_name, "") << "a name that nobody proved stands for nothing";
  EXPECT_EQ(door.enter({}).code, ReasonCode::kNotAuthorized);
  EXPECT_EQ(door.login("ann", "x").code, ReasonCode::kBadUserNameOrPassword);
}

TEST(FileAuth, KnowsNoEnhancedMethodAndExpectsNoAuth) {
  Door door{AccessSettings{}};
  EXPECT_EQ(door.auth.open("SCRAM-SHA-256"), nullptr);
  std::optional<AuthVerdict> verdict;
  door.auth.open("")->proceed({}, [&](AuthVerdict given) { verdict = std::move(given); });
  ASSERT_TRUE(verdict.has_value());
  EXPECT_EQ(verdict->code, ReasonCode::kProtocolError);
}

TEST(FileAuth, MosquittoTakesANameThatNobodyProved) {
  Door door{AccessSettings{.is_mosquitto = true}};
  EXPECT_EQ(door.login("ann", "whatever", true).user_name, "ann");
}

TEST(FileAuth, WithMosquittoAnEmptyUserNameIsNone) {
  const Folder folder;
  const std::string path = folder.file("passwords", line("ann", "secret"));
  Door door{AccessSettings{.password_file = path, .is_mosquitto = true}};
  EXPECT_EQ(door.login("", "", true).kind, AuthVerdict::Kind::kAllow);
  EXPECT_EQ(door.login("", "").code, ReasonCode::kNotAuthorized);
  Door own{AccessSettings{.password_file = path}};
  EXPECT_EQ(own.login("", "", true).code, ReasonCode::kBadUserNameOrPassword);
}

TEST(FileAuth, ANameThatOnlyAMissingPluginKnowsLetsNobodyIn) {
  Door door{AccessSettings{.is_mosquitto = true, .refuses_unproved_names = true}};
  EXPECT_EQ(door.login("ann", "whatever", true).code, ReasonCode::kNotAuthorized);
  EXPECT_EQ(door.enter({.listener_allows_anonymous = true}).kind, AuthVerdict::Kind::kAllow);
}

TEST(FileAuth, DynamicSecurityIsUsersAndRules) {
  const Folder folder;
  const std::string hash = *hash_password(HashKind::kPbkdf2Sha512, "secret", 100);
  const std::string path =
      folder.file("d.json", R"({"clients": [{"username": "ann", "encoded_password": ")" + hash +
                                R"(", "roles": [{"rolename": "r"}]},
                    {"username": "cy", "clientid": "pump", "encoded_password": ")" +
                                hash + R"("}], "roles": [{"rolename": "r", "acls": [
                    {"acltype": "publishClientSend", "topic": "a", "allow": true}]}]})");
  Door door{AccessSettings{.dynamic_security = path, .is_mosquitto = true}};
  EXPECT_EQ(door.login("ann", "secret").user_name, "ann");
  EXPECT_EQ(door.login("ann", "wrong").code, ReasonCode::kNotAuthorized);
  EXPECT_EQ(door.login("bob", "secret", true).code, ReasonCode::kNotAuthorized);
  EXPECT_EQ(door.login("cy", "secret").code, ReasonCode::kNotAuthorized) << "with the client id \"c\"";
  EXPECT_EQ(door.enter({.client_id = "pump",
                        .has_user_name = true,
                        .user_name = "cy",
                        .has_password = true,
                        .password = as_bytes("secret")})
                .user_name,
            "cy");
  FileRules rules(door.access, door.clock);
  const broker::ClientIdentity ann{.client_id = "c", .user_name = "ann", .listener = "tls"};
  EXPECT_TRUE(rules.may_publish(ann, "a", mqtt::Qos::kAtMostOnce, false));
  EXPECT_FALSE(rules.may_publish(ann, "b", mqtt::Qos::kAtMostOnce, false));
  EXPECT_FALSE(rules.may_receive(ann, "a"));
  EXPECT_EQ(door.access.now().summary().front(), "2 users and 1 rule in " + path);
}

TEST(FileAuth, MosquittoCallsAWrongLoginNotAuthorized) {
  const Folder folder;
  Door door{
      AccessSettings{.password_file = folder.file("passwords", line("ann", "secret")), .is_mosquitto = true}};
  EXPECT_EQ(door.login("ann", "wrong").code, ReasonCode::kNotAuthorized);
  EXPECT_EQ(door.login("nobody", "secret").code, ReasonCode::kNotAuthorized);
  Door without{AccessSettings{.is_mosquitto = true}};
  EXPECT_EQ(without.login("ann", "secret").code, ReasonCode::kNotAuthorized);
}

TEST(FileAuth, MosquittoTakesNothingInPlaceOfTheCertificateThatNamesTheUser) {
  const Folder folder;
  Door door{AccessSettings{.password_file = folder.file("passwords", line("ann", "secret")),
                           .is_mosquitto = true,
                           .user_from = UserFrom::kCommonName}};
  const broker::PeerProof nothing;
  EXPECT_EQ(door.enter({.proof = &nothing, .listener_allows_anonymous = true}).code,
            ReasonCode::kBadUserNameOrPassword);
  EXPECT_EQ(door.login("ann", "secret", true).code, ReasonCode::kBadUserNameOrPassword);
  const broker::PeerProof proof{.has_certificate = true, .common_name = "pump"};
  EXPECT_EQ(door.enter({.proof = &proof}).user_name, "pump");
}

// ---- passwords ----

TEST(FileAuth, APasswordFileDecides) {
  const Folder folder;
  Door door{AccessSettings{.password_file = folder.file("passwords", line("ann", "secret"))}};
  const AuthVerdict right = door.login("ann", "secret");
  EXPECT_EQ(right.kind, AuthVerdict::Kind::kAllow);
  EXPECT_EQ(right.user_name, "ann");
  EXPECT_EQ(right.client_id, "") << "the client's own stands";
  EXPECT_EQ(door.login("ann", "wrong").code, ReasonCode::kBadUserNameOrPassword);
  EXPECT_EQ(door.login("nobody", "secret").code, ReasonCode::kBadUserNameOrPassword);
  EXPECT_EQ(door.enter({}).code, ReasonCode::kNotAuthorized);
}

TEST(FileAuth, AWrongPasswordIsRefusedAlsoWhereAnonymousClientsMayEnter) {
  const Folder folder;
  Door door{AccessSettings{.password_file = folder.file("passwords", line("ann", "secret"))}};
  EXPECT_EQ(door.login("ann", "wrong", true).kind, AuthVerdict::Kind::kRefuse);
  EXPECT_EQ(door.enter({.has_user_name = true, .user_name = "ann", .listener_allows_anonymous = true}).kind,
            AuthVerdict::Kind::kRefuse)
      << "a name without a password";
  EXPECT_EQ(door.enter({.listener_allows_anonymous = true}).kind, AuthVerdict::Kind::kAllow);
}

TEST(FileAuth, GuessingHasACodeOfItsOwn) {
  const Folder folder;
  Door door{AccessSettings{.password_file = folder.file("passwords", line("ann", "secret"))}};
  for (int i = 0; i < Guesses::kAttempts; ++i) (void)door.login("ann", "guess" + std::to_string(i));
  EXPECT_EQ(door.login("ann", "secret").code, ReasonCode::kConnectionRateExceeded);
}

// ---- certificates and keys ----

TEST(FileAuth, ACertificateStandsForTheUserItNames) {
  const broker::PeerProof proof{.has_certificate = true,
                                .common_name = "pump",
                                .subject = "CN=pump,O=Plant",
                                .dns_names = {"pump.plant", "pump"},
                                .email_names = {"pump@plant"},
                                .fingerprint = "ab12"};
  const std::pair<UserFrom, std::string_view> names[] = {{UserFrom::kCommonName, "pump"},
                                                         {UserFrom::kSubject, "CN=pump,O=Plant"},
                                                         {UserFrom::kDnsName, "pump.plant"},
                                                         {UserFrom::kEmailName, "pump@plant"},
                                                         {UserFrom::kFingerprint, "ab12"}};
  for (const auto& [from, name] : names) {
    Door door{AccessSettings{.user_from = from}};
    const AuthVerdict verdict = door.enter({.proof = &proof});
    EXPECT_EQ(verdict.kind, AuthVerdict::Kind::kAllow);
    EXPECT_EQ(verdict.user_name, name);
  }
}

TEST(FileAuth, ACertificateCountsOnlyWhereTheListenerTakesIt) {
  const broker::PeerProof proof{.has_certificate = true, .common_name = "pump"};
  Door door{AccessSettings{}};
  EXPECT_EQ(door.enter({.proof = &proof}).code, ReasonCode::kNotAuthorized);
}

TEST(FileAuth, ACertificateWithoutTheNameIsRefused) {
  const broker::PeerProof proof{.has_certificate = true, .common_name = "pump"};
  Door door{AccessSettings{.user_from = UserFrom::kDnsName}};
  EXPECT_EQ(door.enter({.proof = &proof, .listener_allows_anonymous = true}).code,
            ReasonCode::kNotAuthorized);
}

TEST(FileAuth, APreSharedKeyStandsForItsIdentity) {
  const broker::PeerProof proof{.psk_identity = "valve"};
  Door door{AccessSettings{.user_from = UserFrom::kCommonName}};
  EXPECT_EQ(door.enter({.proof = &proof}).user_name, "valve");
}

TEST(FileAuth, WithoutACertificateThePasswordDecides) {
  const Folder folder;
  Door door{AccessSettings{.password_file = folder.file("passwords", line("ann", "secret")),
                           .user_from = UserFrom::kCommonName}};
  const broker::PeerProof nothing;
  EXPECT_EQ(door.login("ann", "secret").user_name, "ann");
  EXPECT_EQ(door.enter({.proof = &nothing}).kind, AuthVerdict::Kind::kRefuse);
}

// ---- the files as a whole ----

TEST(Access, NamesThePlaceOfAFileThatIsNotThere) {
  const auto access =
      Access::load({{.password_file = "/nowhere/p", .password_place = "nightjar.toml:7:1: "}});
  ASSERT_FALSE(access.has_value());
  EXPECT_THAT(access.error().message, HasSubstr("nightjar.toml:7:1: cannot read /nowhere/p: No such file"));
  EXPECT_THAT(access.error().message, HasSubstr("nightjar passwd -c /nowhere/p USER"));
}

TEST(Access, NamesThePlaceOfAFileThatIsWrongAndTheLineInIt) {
  const Folder folder;
  const std::string passwords = folder.file("passwords", "no colon\n");
  const std::string rules = folder.file("acl", "topic raed a\n");
  const auto of_passwords =
      Access::load({{.password_file = passwords, .password_place = "nightjar.toml:7:1: "}});
  const auto of_rules = Access::load({{.acl_file = rules, .acl_place = "nightjar.toml:8:1: "}});
  EXPECT_THAT(of_passwords.error().message, HasSubstr("nightjar.toml:7:1: " + passwords + ":1:"));
  EXPECT_THAT(of_rules.error().message, HasSubstr("nightjar.toml:8:1: " + rules + ":1:"));
}

TEST(Access, TheNameOfAFileTellsItsSyntax) {
  const Folder folder;
  const std::string own = folder.file("acl.toml", "[[rule]]\nallow = \"all\"\ntopics = \"a\"\n");
  const std::string other = folder.file("acl", "topic a\n");
  EXPECT_TRUE(Access::load({{.acl_file = own}, {.acl_file = other}}).has_value());
  EXPECT_FALSE(Access::load({{.acl_file = own, .has_mosquitto_acl = true}}).has_value());
}

TEST(Access, WhoeverWasTakenOutOrGotAnotherPasswordLosesIt) {
  const Folder folder;
  const std::string bob = line("bob", "b");
  const std::string path = folder.file("passwords", line("ann", "a") + bob + line("cy", "c"));
  const std::vector<AccessSettings> settings{{.listener = "tls", .password_file = path}};
  const auto before = *Access::load(settings);
  folder.file("passwords", line("ann", "changed") + bob);
  const auto now = *Access::load(settings);
  const auto lost = [&](std::string_view user) {
    return lost_access(*before, *now, {.client_id = "c", .user_name = user, .listener = "tls"}, "tls",
                       nullptr);
  };
  EXPECT_EQ(lost("ann"), Loss::kUser);
  EXPECT_EQ(lost("bob"), Loss::kNone);
  EXPECT_EQ(lost("cy"), Loss::kUser);
  EXPECT_EQ(lost(""), Loss::kNone) << "anonymous";
  EXPECT_EQ(lost("pump"), Loss::kNone) << "came by its certificate";
}

TEST(Access, WhoeverIsAnonymousLosesItWhereThatIsAllowedNoMore) {
  const Folder folder;
  const std::string path = folder.file("passwords", line("ann", "a"));
  const AccessSettings open{.listener = "old name", .password_file = path};
  AccessSettings closed{.listener = "new name", .password_file = path};
  closed.allows_anonymous = false;
  const auto before = *Access::load({open});
  const auto now = *Access::load({closed});
  const auto lost = [&](std::string_view user, const broker::PeerProof* proof = nullptr) {
    return lost_access(*before, *now, {.user_name = user, .listener = "old name"}, "new name", proof);
  };
  EXPECT_EQ(lost(""), Loss::kAnonymous);
  EXPECT_EQ(lost("ann"), Loss::kNone);
}

TEST(Access, NobodyKeepsAUserWhoseFileIsNamedNoMore) {
  const Folder folder;
  const auto before = *Access::load({{.listener = "a", .password_file = folder.file("p", line("ann", "a"))}});
  const auto now = *Access::load({{.listener = "a"}});
  EXPECT_EQ(lost_access(*before, *now, {.user_name = "ann", .listener = "a"}, "a", nullptr), Loss::kUser);
}

TEST(Access, ACertificateIsNotTakenForTheUserOfTheSameName) {
  const Folder folder;
  const std::string path = folder.file("p", line("pump", "a"));
  const std::vector<AccessSettings> settings{
      {.listener = "tls", .password_file = path, .user_from = UserFrom::kCommonName}};
  const auto before = *Access::load(settings);
  folder.file("p", "");
  const auto now = *Access::load(settings);
  const broker::PeerProof proof{.has_certificate = true, .common_name = "pump"};
  const broker::ClientIdentity who{.user_name = "pump", .listener = "tls"};
  EXPECT_EQ(lost_access(*before, *now, who, "tls", &proof), Loss::kNone);
  EXPECT_EQ(lost_access(*before, *now, who, "tls", nullptr), Loss::kUser);
}

TEST(Access, TellsWhatIsDifferentInItsFiles) {
  const Folder folder;
  const std::string bob = line("bob", "b");
  const std::vector<AccessSettings> settings{
      {.listener = "tls",
       .password_file = folder.file("passwords", line("ann", "a") + bob + line("cy", "c")),
       .acl_file = folder.file("acl", "topic read a\n")}};
  const auto before = *Access::load(settings);
  EXPECT_TRUE(file_changes(*before, **Access::load(settings)).empty());
  folder.file("passwords", line("ann", "changed") + bob + line("dee", "d") + line("eve", "e"));
  folder.file("acl", "topic read b\n");
  const auto changes = file_changes(*before, **Access::load(settings));
  ASSERT_EQ(changes.size(), 2U);
  EXPECT_EQ(changes[0].from, "3 users");
  EXPECT_EQ(changes[0].to, "4 users: 2 new, 1 gone, 1 with another password");
  EXPECT_EQ(changes[1].path, settings.front().acl_file);
  EXPECT_EQ(changes[1].to, "1 line: not the same as before");
}

// ---- rules ----

TEST(FileRules, WithoutAFileOnlySysIsTheBrokersOwn) {
  testing::FakeClock clock;
  AccessInForce access(*Access::load({}));
  FileRules rules(access, clock);
  EXPECT_TRUE(rules.may_publish({}, "a/b", mqtt::Qos::kAtMostOnce, true));
  EXPECT_TRUE(rules.may_publish({}, "$SYSTEM", mqtt::Qos::kAtMostOnce, false));
  EXPECT_FALSE(rules.may_publish({}, "$SYS", mqtt::Qos::kAtMostOnce, false));
  EXPECT_FALSE(rules.may_publish({}, "$SYS/broker/uptime", mqtt::Qos::kAtMostOnce, false));
  EXPECT_TRUE(rules.may_subscribe({}, "$SYS/#"));
  EXPECT_TRUE(rules.may_receive({}, "$SYS/broker/uptime"));
  EXPECT_FALSE(rules.checks_receive());
}

TEST(FileRules, EachListenerHasItsOwnAndAReloadReplacesThem) {
  const Folder folder;
  testing::FakeClock clock;
  const std::string acl = folder.file("acl", "topic read a\n");
  const std::vector<AccessSettings> settings{{}, {.listener = "open"}, {.listener = "tls", .acl_file = acl}};
  AccessInForce access(*Access::load(settings));
  FileRules rules(access, clock);
  EXPECT_TRUE(rules.checks_receive());
  EXPECT_TRUE(rules.may_receive({.client_id = "c", .listener = "open"}, "b"));
  EXPECT_FALSE(rules.may_receive({.client_id = "c", .listener = "tls"}, "b"));
  folder.file("acl", "topic read b\n");
  const auto before = access.replace(*Access::load(settings));
  EXPECT_TRUE(rules.may_receive({.client_id = "c", .listener = "tls"}, "b"));
  EXPECT_FALSE(rules.may_receive({.client_id = "c", .listener = "tls"}, "a"));
}

TEST(DenialLog, HasOneLineAndThenAPause) {
  DenialLog log(Duration::seconds(1));
  EXPECT_TRUE(log.is_due({1000}));
  EXPECT_FALSE(log.is_due({1999}));
  EXPECT_TRUE(log.is_due({2000}));
}

}  // namespace
}  // namespace nightjar::auth
