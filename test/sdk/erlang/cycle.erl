%% The full cycle of a snapshot and ten refusals as Erlang's AWS client sends them, for
%% erlang-cycle.test.ts. Standard output carries one JSON line for each step; the test compares
%% them with what it expects. The environment says which service to call, the one argument names
%% a snapshot of many blocks.
-module(cycle).

-export([main/1, report/2, contents/1, checksum/1, block_of/1]).

-define(BLOCK_SIZE_BYTES, 524288).
%% Contents by block index, as the snapshots have them in the end.
-define(PARENT_BLOCKS, [{0, 7}, {1, 0}, {2047, 4}]).
-define(CHILD_OWN, [{1, 5}, {4095, 6}]).
-define(CHILD_BLOCKS, [{0, 7}, {1, 5}, {2047, 4}, {4095, 6}]).

main([LongText]) ->
    ok = io:setopts([{encoding, unicode}]),
    {ok, _} = application:ensure_all_started(inets),
    {ok, _} = application:ensure_all_started(crypto),
    Client = client(),
    Long = list_to_binary(LongText),
    report(<<"identify">>, identify(Client)),
    #{<<"snapshotId">> := Parent} = Started = start_parent(Client),
    report(<<"start">>, Started),
    report(<<"put">>, put_parent(Client, Parent)),
    report(<<"complete">>, complete_parent(Client, Parent)),
    report(<<"describe">>, describe(Client, Parent)),
    report(<<"read">>, #{<<"blocks">> => read(Client, Parent, ?PARENT_BLOCKS)}),
    #{<<"snapshotId">> := Child} = Made = make_child(Client, Parent),
    report(<<"child">>, Made),
    report(<<"compare">>, compare(Client, Parent, Child)),
    report(<<"tag">>, tag(Client, Child)),
    report(<<"pages">>, pages(Client, Long, #{}, #{<<"sizes">> => [], <<"indexes">> => []})),
    refusals:report_all(Client, Parent, Long),
    Deleted = delete(Client, Parent),
    report(<<"deleteParent">>, Deleted#{<<"blocks">> => read(Client, Child, ?CHILD_BLOCKS)}),
    report(<<"deleteChild">>, delete(Client, Child)),
    halt(0).

%% Host names no port: so does Erlang's client, whatever port it connects to.
client() ->
    #{host := Host, port := Port} = uri_string:parse(os:getenv("AWS_ENDPOINT_URL")),
    #{
        host => Host,
        address => Host,
        port => Port,
        region => os:getenv("AWS_REGION"),
        key_id => os:getenv("AWS_ACCESS_KEY_ID"),
        secret => os:getenv("AWS_SECRET_ACCESS_KEY")
    }.

report(Step, Seen) ->
    Line = tiny_json:encode(#{<<"step">> => Step, <<"seen">> => Seen}),
    io:format("~ts~n", [Line]).

identify(Client) ->
    {ok, Document} = query:call(Client, "sts", "GetCallerIdentity", []),
    Text = fun(Name) -> query:text("//" ++ Name, Document) end,
    #{<<"account">> => Text("Account"), <<"arn">> => Text("Arn")}.

start_parent(Client) ->
    {ok, Started} = ebs:start_snapshot(Client, #{
        <<"VolumeSize">> => 1,
        <<"Description">> => <<"the \"parent\", für alle"/utf8>>,
        <<"Tags">> => [#{<<"Key">> => <<"Name">>, <<"Value">> => <<"parent">>}],
        <<"Timeout">> => 60
    }),
    Same = [
        {<<"snapshotId">>, <<"SnapshotId">>},
        {<<"status">>, <<"Status">>},
        {<<"blockSize">>, <<"BlockSize">>},
        {<<"volumeSize">>, <<"VolumeSize">>},
        {<<"ownerId">>, <<"OwnerId">>},
        {<<"description">>, <<"Description">>}
    ],
    Seen = maps:from_list([{Name, maps:get(Member, Started)} || {Name, Member} <- Same]),
    #{<<"Tags">> := Tags, <<"StartTime">> := Seconds} = Started,
    Named = [{Key, Value} || #{<<"Key">> := Key, <<"Value">> := Value} <- Tags],
    Time = calendar:system_time_to_rfc3339(round(Seconds * 1000), [{unit, millisecond}]),
    Seen#{<<"tags">> => maps:from_list(Named), <<"startTime">> => list_to_binary(Time)}.

put_parent(Client, Id) ->
    Blocks = [{0, 3} | ?PARENT_BLOCKS],
    #{<<"checksums">> => [put_block(Client, Id, Index, Number) || {Index, Number} <- Blocks]}.

complete_parent(Client, Id) ->
    Status = complete(Client, Id, ?PARENT_BLOCKS),
    {ok, Again} = ebs:complete_snapshot(Client, Id, #{<<"ChangedBlocksCount">> => 0}),
    #{<<"status">> => Status, <<"again">> => maps:get(<<"Status">>, Again)}.

describe(Client, Id) ->
    {ok, Document} = query:call(Client, "ec2", "DescribeSnapshots", [{"SnapshotId.1", Id}]),
    [Item] = query:elements("//snapshotSet/item", Document),
    Text = fun(Name) -> query:text(Name, Item) end,
    #{
        <<"snapshotId">> => Text("snapshotId"),
        <<"state">> => Text("status"),
        <<"progress">> => Text("progress"),
        <<"ownerId">> => Text("ownerId"),
        <<"volumeSize">> => binary_to_integer(Text("volumeSize")),
        <<"volumeId">> => Text("volumeId"),
        <<"encrypted">> => binary_to_existing_atom(Text("encrypted")),
        <<"fullSize">> => binary_to_integer(Text("fullSnapshotSizeInBytes")),
        <<"tags">> => tags_of("tagSet/item", Item),
        <<"startTime">> => Text("startTime")
    }.

make_child(Client, Parent) ->
    Input = #{<<"VolumeSize">> => 2, <<"ParentSnapshotId">> => Parent},
    {ok, #{<<"SnapshotId">> := Id} = Started} = ebs:start_snapshot(Client, Input),
    [put_block(Client, Id, Index, Number) || {Index, Number} <- ?CHILD_OWN],
    #{
        <<"snapshotId">> => Id,
        <<"parent">> => maps:get(<<"ParentSnapshotId">>, Started),
        <<"status">> => complete(Client, Id, ?CHILD_OWN),
        <<"blocks">> => read(Client, Id, ?CHILD_BLOCKS)
    }.

compare(Client, Parent, Child) ->
    Forth = changes(Client, Parent, Child),
    [#{<<"BlockIndex">> := Index, <<"SecondBlockToken">> := Token} | _] =
        Back = changes(Client, Child, Parent),
    {ok, #{<<"Body">> := Body}} = ebs:get_snapshot_block(Client, Index, Parent, Token),
    #{
        <<"forth">> => [change(Changed) || Changed <- Forth],
        <<"back">> => [change(Changed) || Changed <- Back],
        <<"oldBlockIsSame">> => Body =:= contents(proplists:get_value(Index, ?PARENT_BLOCKS))
    }.

tag(Client, Id) ->
    {ok, _} = query:call(Client, "ec2", "CreateTags", [
        {"ResourceId.1", Id},
        {"Tag.1.Key", "Name"},
        {"Tag.1.Value", "child"},
        {"Tag.2.Key", "empty"},
        {"Tag.2.Value", ""}
    ]),
    Added = tags(Client, Id),
    Deleted = [{"ResourceId.1", Id}, {"Tag.1.Key", "Name"}],
    {ok, _} = query:call(Client, "ec2", "DeleteTags", Deleted),
    #{<<"added">> => Added, <<"left">> => tags(Client, Id)}.

%% Follows NextToken to the end, as the pages say.
pages(Client, Id, Query, #{<<"sizes">> := Sizes, <<"indexes">> := Indexes}) ->
    Asked = Query#{"maxResults" => 100},
    {ok, #{<<"Blocks">> := Blocks} = Page} = ebs:list_snapshot_blocks(Client, Id, Asked, #{}),
    Here = [Index || #{<<"BlockIndex">> := Index} <- Blocks],
    Seen = #{<<"sizes">> => Sizes ++ [length(Here)], <<"indexes">> => Indexes ++ Here},
    case maps:get(<<"NextToken">>, Page, null) of
        null -> Seen;
        Token -> pages(Client, Id, #{"pageToken" => Token}, Seen)
    end.

%% Deletes, and tells how listing and describing are refused from then on.
delete(Client, Id) ->
    {ok, _} = query:call(Client, "ec2", "DeleteSnapshot", [{"SnapshotId", Id}]),
    {error, #{<<"__type">> := Listing}} = ebs:list_snapshot_blocks(Client, Id, #{}, #{}),
    {error, Code} = query:call(Client, "ec2", "DescribeSnapshots", [{"SnapshotId.1", Id}]),
    #{<<"listing">> => list_to_binary(Listing), <<"describing">> => Code}.

put_block(Client, Id, Index, Number) ->
    {ok, Put} = ebs:put_snapshot_block(Client, Index, Id, block_of(contents(Number))),
    list_to_binary(maps:get(<<"Checksum">>, Put)).

%% The input for a block that is well in every way.
block_of(Data) ->
    #{
        <<"BlockData">> => Data,
        <<"DataLength">> => byte_size(Data),
        <<"Checksum">> => checksum(Data),
        <<"ChecksumAlgorithm">> => <<"SHA256">>
    }.

%% Seals with the aggregate checksum and waits until EC2 says that it is done.
complete(Client, Id, Written) ->
    Digests = [crypto:hash(sha256, contents(Number)) || {_, Number} <- Written],
    {ok, #{<<"Status">> := Status}} = ebs:complete_snapshot(Client, Id, #{
        <<"ChangedBlocksCount">> => length(Written),
        <<"Checksum">> => checksum(Digests),
        <<"ChecksumAlgorithm">> => <<"SHA256">>,
        <<"ChecksumAggregationMethod">> => <<"LINEAR">>
    }),
    wait(Client, Id, 600),
    Status.

wait(Client, Id, Attempts) when Attempts > 0 ->
    case describe(Client, Id) of
        #{<<"state">> := <<"completed">>} ->
            ok;
        #{<<"state">> := <<"pending">>} ->
            timer:sleep(100),
            wait(Client, Id, Attempts - 1)
    end.

%% Lists a snapshot, gets every block and compares it with what was put.
read(Client, Id, Expected) ->
    {ok, #{<<"Blocks">> := Blocks}} = ebs:list_snapshot_blocks(Client, Id, #{}, #{}),
    [read_block(Client, Id, Block, Expected) || Block <- Blocks].

read_block(Client, Id, #{<<"BlockIndex">> := Index, <<"BlockToken">> := Token}, Expected) ->
    {ok, #{<<"Body">> := Body} = Got} = ebs:get_snapshot_block(Client, Index, Id, Token),
    #{
        <<"index">> => Index,
        <<"checksum">> => list_to_binary(maps:get(<<"Checksum">>, Got)),
        <<"algorithm">> => list_to_binary(maps:get(<<"ChecksumAlgorithm">>, Got)),
        <<"length">> => list_to_integer(maps:get(<<"DataLength">>, Got)),
        <<"same">> => Body =:= contents(proplists:get_value(Index, Expected))
    }.

changes(Client, First, Second) ->
    Query = #{"firstSnapshotId" => First},
    {ok, #{<<"ChangedBlocks">> := Blocks}} = ebs:list_changed_blocks(Client, Second, Query, #{}),
    Blocks.

%% Says of a block which of the snapshots have it.
change(#{<<"BlockIndex">> := Index} = Changed) ->
    Has = fun(Name) -> maps:get(Name, Changed, null) =/= null end,
    #{
        <<"index">> => Index,
        <<"first">> => Has(<<"FirstBlockToken">>),
        <<"second">> => Has(<<"SecondBlockToken">>)
    }.

tags(Client, Id) ->
    Filter = [{"Filter.1.Name", "resource-id"}, {"Filter.1.Value.1", Id}],
    {ok, Document} = query:call(Client, "ec2", "DescribeTags", Filter),
    tags_of("//tagSet/item", Document).

tags_of(Path, Node) ->
    Tag = fun(Item) -> {query:text("key", Item), query:text("value", Item)} end,
    maps:from_list([Tag(Item) || Item <- query:elements(Path, Node)]).

%% A block's bytes by number; 0 is zeros.
contents(Number) -> binary:copy(<<Number>>, ?BLOCK_SIZE_BYTES).

checksum(Bytes) -> base64:encode(crypto:hash(sha256, Bytes)).
