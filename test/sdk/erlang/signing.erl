%% Signature Version 4 over every header and the hash of the body.
-module(signing).

-export([signed/3, query_text/1]).

%% Adds date, hash and signature to a request of method, path, query, headers and body.
signed(#{key_id := KeyId, region := Region} = Client, Service, Request) ->
    #{method := Method, path := Path, query := Query, headers := Given, body := Body} = Request,
    Date = date_text(calendar:universal_time()),
    Scope = lists:join("/", [lists:sublist(Date, 8), Region, Service, "aws4_request"]),
    Hash = hex(crypto:hash(sha256, Body)),
    Headers = [{"X-Amz-Date", Date}, {"X-Amz-Content-SHA256", Hash} | Given],
    Sorted = lists:sort([{string:lowercase(Name), text(Value)} || {Name, Value} <- Headers]),
    Names = lists:join(";", [Name || {Name, _} <- Sorted]),
    Lines = [[Name, ":", Value, "\n"] || {Name, Value} <- Sorted],
    Canonical = lists:join("\n", [Method, Path, query_text(Query), Lines, Names, Hash]),
    Digest = hex(crypto:hash(sha256, Canonical)),
    ToSign = lists:join("\n", ["AWS4-HMAC-SHA256", Date, Scope, Digest]),
    Parts = [
        ["AWS4-HMAC-SHA256 Credential=", KeyId, "/", Scope],
        ["SignedHeaders=", Names],
        ["Signature=", hex(hmac(signing_key(Client, Date, Service), ToSign))]
    ],
    Authorization = lists:flatten(lists:join(", ", Parts)),
    Request#{headers => [{"Authorization", Authorization} | Headers]}.

%% The query as it is signed, and as it is sent.
query_text(Query) ->
    Encoded = lists:sort([{encoded(Name), encoded(Value)} || {Name, Value} <- Query]),
    lists:flatten(lists:join("&", [[Name, "=", Value] || {Name, Value} <- Encoded])).

signing_key(#{secret := Secret, region := Region}, Date, Service) ->
    Key = ["AWS4", Secret],
    Steps = [lists:sublist(Date, 8), Region, Service, "aws4_request"],
    lists:foldl(fun(Step, Above) -> hmac(Above, Step) end, Key, Steps).

hmac(Key, Data) ->
    crypto:mac(hmac, sha256, iolist_to_binary(Key), iolist_to_binary(Data)).

date_text({{Year, Month, Day}, {Hour, Minute, Second}}) ->
    Format = "~4..0w~2..0w~2..0wT~2..0w~2..0w~2..0wZ",
    lists:flatten(io_lib:format(Format, [Year, Month, Day, Hour, Minute, Second])).

encoded(Value) ->
    lists:flatten([percent(Byte) || <<Byte>> <= iolist_to_binary(text(Value))]).

percent(Byte) when Byte >= $a, Byte =< $z; Byte >= $A, Byte =< $Z; Byte >= $0, Byte =< $9 -> Byte;
percent(Byte) when Byte =:= $-; Byte =:= $_; Byte =:= $.; Byte =:= $~ -> Byte;
percent(Byte) -> io_lib:format("%~2.16.0B", [Byte]).

text(Value) when is_integer(Value) -> integer_to_list(Value);
text(Value) when is_binary(Value) -> binary_to_list(Value);
text(Value) -> Value.

hex(Bytes) ->
    lists:flatten([io_lib:format("~2.16.0b", [Byte]) || <<Byte>> <= Bytes]).
