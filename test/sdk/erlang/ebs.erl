%% The EBS direct APIs as Erlang's client has them: the same six functions, maps with binary keys,
%% and the same strictness. A status that the service model does not name is no success, headers
%% of an answer are found only by their exact spelling, Host carries no port, and the hash of the
%% body is signed as it is.
-module(ebs).

-export([start_snapshot/2, put_snapshot_block/4, complete_snapshot/3]).
-export([get_snapshot_block/4, list_snapshot_blocks/4, list_changed_blocks/4]).

-type outcome() :: {ok, map()} | {error, map()}.

-spec start_snapshot(map(), map()) -> outcome().
start_snapshot(Client, Input) ->
    json(send(Client, post, "/snapshots", [], [], tiny_json:encode(Input)), 201).

-spec put_snapshot_block(map(), integer(), binary(), map()) -> outcome().
put_snapshot_block(Client, BlockIndex, SnapshotId, Input) ->
    Path = ["/snapshots/", SnapshotId, "/blocks/", integer_to_list(BlockIndex)],
    {Body, Members} = maps:take(<<"BlockData">>, Input),
    Names = [
        {<<"Checksum">>, "x-amz-Checksum"},
        {<<"ChecksumAlgorithm">>, "x-amz-Checksum-Algorithm"}
    ],
    Answer = send(Client, put, Path, [], headers_of(Members), Body),
    with_headers(json(Answer, 201), Answer, Names).

-spec complete_snapshot(map(), binary(), map()) -> outcome().
complete_snapshot(Client, SnapshotId, Input) ->
    Path = ["/snapshots/completion/", SnapshotId],
    json(send(Client, post, Path, [], headers_of(Input), <<>>), 202).

-spec get_snapshot_block(map(), integer(), binary(), binary()) -> outcome().
get_snapshot_block(Client, BlockIndex, SnapshotId, BlockToken) ->
    Path = ["/snapshots/", SnapshotId, "/blocks/", integer_to_list(BlockIndex)],
    Answer = send(Client, get, Path, [{"blockToken", BlockToken}], [], <<>>),
    Names = [
        {<<"Checksum">>, "x-amz-Checksum"},
        {<<"ChecksumAlgorithm">>, "x-amz-Checksum-Algorithm"},
        {<<"DataLength">>, "x-amz-Data-Length"}
    ],
    case Answer of
        {200, _, Body} -> with_headers({ok, #{<<"Body">> => Body}}, Answer, Names);
        _ -> json(Answer, 200)
    end.

-spec list_snapshot_blocks(map(), binary(), map(), map()) -> outcome().
list_snapshot_blocks(Client, SnapshotId, Query, Headers) ->
    Path = ["/snapshots/", SnapshotId, "/blocks"],
    json(send(Client, get, Path, maps:to_list(Query), maps:to_list(Headers), <<>>), 200).

-spec list_changed_blocks(map(), binary(), map(), map()) -> outcome().
list_changed_blocks(Client, SecondSnapshotId, Query, Headers) ->
    Path = ["/snapshots/", SecondSnapshotId, "/changedblocks"],
    json(send(Client, get, Path, maps:to_list(Query), maps:to_list(Headers), <<>>), 200).

send(#{host := Host} = Client, Method, Path, Query, Headers, Body) ->
    Given = [{"Host", Host}, {"Content-Type", "application/x-amz-json-1.1"} | Headers],
    Request = #{
        method => string:uppercase(atom_to_list(Method)),
        path => unicode:characters_to_list(Path),
        query => Query,
        headers => Given,
        body => Body
    },
    raw_http:exchange(Client, signing:signed(Client, "ebs", Request)).

%% Members of an input that travel as headers.
headers_of(Members) ->
    Names = #{
        <<"ChangedBlocksCount">> => "x-amz-ChangedBlocksCount",
        <<"Checksum">> => "x-amz-Checksum",
        <<"ChecksumAggregationMethod">> => "x-amz-Checksum-Aggregation-Method",
        <<"ChecksumAlgorithm">> => "x-amz-Checksum-Algorithm",
        <<"DataLength">> => "x-amz-Data-Length"
    },
    [{maps:get(Name, Names), Value} || {Name, Value} <- maps:to_list(Members)].

json({Status, _, Body}, Status) ->
    {ok, tiny_json:decode(Body)};
json({Status, Headers, Body}, _) ->
    {_, Type} = lists:keyfind("x-amzn-ErrorType", 1, Headers),
    [Code | _] = string:split(Type, ":"),
    {error, (tiny_json:decode(Body))#{<<"__type">> => Code, <<"Status">> => Status}}.

%% An answer lacks what is not spelled exactly like this.
with_headers({ok, Result}, {_, Headers, _}, Names) ->
    Found = [{Key, Value} || {Key, Name} <- Names, {Spelling, Value} <- Headers, Spelling =:= Name],
    {ok, maps:merge(Result, maps:from_list(Found))};
with_headers(Refused, _, _) ->
    Refused.
