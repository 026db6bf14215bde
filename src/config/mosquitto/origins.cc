#include "config/mosquitto/origins.h"

#include <algorithm>
#include <array>

namespace nightjar::config::mosquitto {
namespace {

constexpr bool kOfListener = true;

// In the order of the names.
constexpr std::array kOrigins{
    Origin{"accept_protocol_versions", "accept_3_1", kOfListener},
    Origin{"accept_protocol_versions", "accept_3_1_1", kOfListener},
    Origin{"accept_protocol_versions", "accept_5_0", kOfListener},
    Origin{"acl_file", "auth.acl_file", kOfListener},
    Origin{"allow_anonymous", "allow_anonymous", kOfListener},
    Origin{"allow_zero_length_clientid", "allow_empty_client_id", kOfListener},
    Origin{"auto_id_prefix", "auto_id_prefix", kOfListener},
    Origin{"bind_address", "address", kOfListener},
    Origin{"bind_interface", "interface", kOfListener},
    Origin{"cafile", "tls.client_ca", kOfListener},
    Origin{"capath", "tls.client_ca_dir", kOfListener},
    Origin{"certfile", "tls.certificate", kOfListener},
    Origin{"check_retain_source", "node.check_retained_source"},
    Origin{"ciphers", "tls.ciphers", kOfListener},
    Origin{"ciphers_tls1.3", "tls.ciphers_tls13", kOfListener},
    Origin{"clientid_prefixes", "limits.client_id_prefix"},
    Origin{"connection_messages", "node.log_connections"},
    Origin{"crlfile", "tls.crl", kOfListener},
    Origin{"dhparamfile", "tls.dh_params", kOfListener},
    Origin{"disable_client_cert_date_checks", "tls.ignore_client_dates", kOfListener},
    Origin{"enable_proxy_protocol", "proxy.enabled", kOfListener},
    Origin{"enable_proxy_protocol", "proxy.version", kOfListener},
    Origin{"global_max_clients", "node.max_sessions"},
    Origin{"global_max_connections", "node.max_connections"},
    Origin{"keyfile", "tls.key", kOfListener},
    Origin{"listener_allow_anonymous", "allow_anonymous", kOfListener},
    Origin{"listener_auto_id_prefix", "auto_id_prefix", kOfListener},
    Origin{"log_dest", "log.destination"},
    Origin{"log_timestamp", "log.time"},
    Origin{"log_timestamp_format", "log.time_format"},
    Origin{"log_type", "log.level"},
    Origin{"max_connections", "max_connections", kOfListener},
    Origin{"max_inflight_bytes", "limits.max_inflight_bytes"},
    Origin{"max_inflight_messages", "limits.max_inflight"},
    Origin{"max_inflight_messages", "limits.receive_maximum"},
    Origin{"max_keepalive", "limits.max_keep_alive"},
    Origin{"max_packet_size", "limits.max_packet_size"},
    Origin{"max_qos", "maximum_qos", kOfListener},
    Origin{"max_queued_bytes", "queue.max_bytes"},
    Origin{"max_queued_messages", "queue.max_messages"},
    Origin{"max_topic_alias", "topic_alias_maximum", kOfListener},
    Origin{"max_topic_alias_broker", "topic_alias_maximum_out", kOfListener},
    Origin{"maximum_qos", "maximum_qos", kOfListener},
    Origin{"message_size_limit", "limits.max_payload_size"},
    Origin{"mount_point", "mount_point", kOfListener},
    Origin{"password_file", "auth.password_file", kOfListener},
    Origin{"persistence", "node.durability"},
    Origin{"persistence", "node.data"},
    Origin{"persistence_file", "node.data"},
    Origin{"persistence_location", "node.data"},
    Origin{"persistent_client_expiration", "limits.max_session_expiry"},
    Origin{"pid_file", "node.pid_file"},
    Origin{"port", "port", kOfListener},
    Origin{"protocol", "protocol", kOfListener},
    Origin{"proxy_protocol_v2_require_tls", "proxy.require_tls", kOfListener},
    Origin{"psk_file", "tls.psk_file", kOfListener},
    Origin{"psk_hint", "tls.psk_hint", kOfListener},
    Origin{"queue_qos0_messages", "queue.queue_qos0_offline"},
    Origin{"require_certificate", "tls.client_certificate", kOfListener},
    Origin{"retain_available", "limits.retain_available"},
    Origin{"socket_domain", "ip", kOfListener},
    Origin{"sys_interval", "sys.interval"},
    Origin{"tls_version", "tls.min_version", kOfListener},
    Origin{"tls_version", "tls.max_version", kOfListener},
    Origin{"upgrade_outgoing_qos", "limits.upgrade_qos"},
    Origin{"use_identity_as_username", "tls.user_from", kOfListener},
    Origin{"use_subject_as_username", "tls.user_from", kOfListener},
    Origin{"use_username_as_clientid", "client_id_is_user_name", kOfListener},
    Origin{"user", "node.user"},
    Origin{"websockets_headers_size", "websocket.max_headers", kOfListener},
    Origin{"websockets_origin", "websocket.origins", kOfListener}};

}  // namespace

std::span<const Origin> origins_of(std::string_view name) {
  const auto [first, last] =
      std::equal_range(kOrigins.begin(), kOrigins.end(), Origin{name, {}},
                       [](const Origin& a, const Origin& b) { return a.name < b.name; });
  return {first, last};
}

}  // namespace nightjar::config::mosquitto
